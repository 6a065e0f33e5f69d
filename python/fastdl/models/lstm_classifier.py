"""A sequence classifier on an LSTM."""

from __future__ import annotations

from fastdl import _core, nn
from fastdl._core import Tensor
from fastdl.models.registry import register

__all__ = ["LSTMClassifier"]


@register(
    "lstm_classifier",
    "S. Hochreiter and J. Schmidhuber, 'Long Short-Term Memory', Neural Computation 9(8), 1997",
    (100,),
    "int64",
)
class LSTMClassifier(nn.Module):
    """LSTM classifier of token sequences: embedding, LSTM, and a linear layer on its last state.

    Args:
        vocabulary: number of tokens V. Default: 10,000.
        embedding_dim: length of a token's vector. Default: 64.
        hidden_size: units of the LSTM, each way. Default: 128.
        num_classes: classes C. Default: 2.
        num_layers: layers of the LSTM. Default: 1.
        bidirectional: whether to read both ways. Default: False.
        dropout: between layers of the LSTM and before the linear layer. Default: 0.

    Shapes: input integers [N, T] below V, output logits [N, C].
    """

    def __init__(
        self,
        vocabulary: int = 10_000,
        embedding_dim: int = 64,
        hidden_size: int = 128,
        num_classes: int = 2,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        self.directions = 2 if bidirectional else 1
        self.embedding = nn.Embedding(vocabulary, embedding_dim)
        self.lstm = nn.LSTM(
            embedding_dim,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout,
            bidirectional=bidirectional,
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.directions * hidden_size, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(self.embedding(tokens))
        # The last layer's final state, of each direction.
        last = _core.cat([hidden[-1 - i] for i in reversed(range(self.directions))], 1)
        logits: Tensor = self.classifier(self.dropout(last))
        return logits
