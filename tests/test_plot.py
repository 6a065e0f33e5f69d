"""Pictures of models: what they show, and that nothing lies on top of anything else."""

import random
import sys
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import errors, models, nn
from fastdl.diagram.layout import arrange, spaced
from fastdl.diagram.network import network_of
from fastdl.diagram.scene import scene_of

SVG = "{http://www.w3.org/2000/svg}"


class Residual(nn.Module):
    def __init__(self):
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x):
        y = self.conv2(self.norm(self.conv1(x)).relu())
        y += x
        return y


class Branching(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        y = self.linear(x)
        return y if y.sum() > 0 else -y


def read(path):
    """Texts of the boxes, and the arrows as pairs of their titles or names."""
    root = ElementTree.parse(path).getroot()
    boxes = {
        group.get("id"): [text.text for text in group.iter(f"{SVG}text")]
        for group in root.iter(f"{SVG}g")
    }
    kinds = {group.get("id"): group.get("class") for group in root.iter(f"{SVG}g")}
    name = {key: texts[1] if kinds[key] == "layer" else texts[0] for key, texts in boxes.items()}
    arrows = [
        (name[path.get("data-from")], name[path.get("data-to")])
        for path in root.iter(f"{SVG}path")
        if path.get("class") == "arrow"
    ]
    return list(boxes.values()), arrows


def drawn(tmp_path, model, *inputs, **options):
    path = tmp_path / "net.svg"
    model.plot(path, *inputs, **options)
    return read(path)


def chain(*names):
    return list(pairwise(names))


class TestWhatIsShown:
    def test_a_chain(self, tmp_path):
        boxes, arrows = drawn(tmp_path, models.LeNet5(), (1, 32, 32))
        assert boxes[:4] == [
            ["input", "[N, 1, 32, 32]"],
            ["Conv2d", "features.0", "[N, 6, 28, 28]", "156 parameters"],
            ["ReLU", "features.1", "[N, 6, 28, 28]"],
            ["MaxPool2d", "features.2", "[N, 6, 14, 14]"],
        ]
        assert boxes[-1] == ["output", "[N, 10]"]
        layers = [f"features.{i}" for i in range(6)] + [f"classifier.{i}" for i in range(6)]
        assert arrows == chain("input", *layers, "output")

    def test_a_skip(self, tmp_path):
        boxes, arrows = drawn(tmp_path, Residual(), (8, 6, 6))
        way = chain("input", "conv1", "norm", "relu", "conv2", "add", "output")
        assert sorted(arrows) == sorted([*way, ("input", "add")])
        assert ["add", "[N, 8, 6, 6]"] in boxes
        assert len(boxes) == 7

    def test_branches_of_a_sequence_model(self, tmp_path):
        model = models.LSTMClassifier(bidirectional=True)
        boxes, arrows = drawn(tmp_path, model, (20,), dtype="int64")
        assert ["LSTM", "lstm", "[N, 20, 256]", "198,656 parameters"] in boxes
        assert arrows.count(("lstm", "index")) == arrows.count(("index", "cat")) == 2
        assert arrows[-3:] == chain("cat", "dropout", "classifier", "output")

    def test_depth_draws_modules_as_one_box(self, tmp_path):
        model = models.resnet18()
        deep, _ = drawn(tmp_path, model, (3, 32, 32))
        boxes, arrows = drawn(tmp_path, model, (3, 32, 32), depth=1)
        assert ["Sequential", "layer1", "[N, 64, 8, 8]", "147,968 parameters"] in boxes
        assert arrows[-5:] == chain("layer3", "layer4", "avgpool", "flatten", "fc", "output")
        blocks, _ = drawn(tmp_path, model, (3, 32, 32), depth=2)
        assert len(boxes) < len(blocks) < len(deep)
        assert sum(text[0] == "BasicBlock" for text in blocks) == 8
        for shown in (deep, boxes, blocks):  # parameters are counted once, at any depth
            counts = [text[-1].split()[0] for text in shown if "parameters" in text[-1]]
            total = sum(int(count.replace(",", "")) for count in counts)
            assert total == sum(p.numel() for p in model.parameters())

    def test_a_graph_needs_no_inputs(self, tmp_path):
        a, b = fastdl.Input((4,)), fastdl.Input((5,), "int64")
        y = nn.Linear(4, 3)(a) + nn.Embedding(9, 3)(b).sum(1)
        model = fastdl.Model([a, b], [y, nn.ReLU()(y)])
        boxes, arrows = drawn(tmp_path, model)
        assert [text[0] for text in boxes].count("input") == 2
        assert [text[0] for text in boxes].count("output") == 2
        assert {("linear", "add"), ("sum", "add"), ("add", "relu"), ("add", "output")} < set(arrows)

    def test_a_layer_that_is_called_twice(self, tmp_path):
        layer = nn.Linear(3, 3)
        boxes, arrows = drawn(tmp_path, nn.Sequential(layer, nn.Dropout(), layer), (3,))
        assert [text[-1] for text in boxes if text[0] == "Linear"] == [
            "12 parameters", "parameters shared",
        ]  # fmt: skip
        assert arrows == chain("input", "0", "1", "0", "output")

    def test_layers_of_fastdl_are_one_box_whatever_is_inside(self, tmp_path):
        class Attention(nn.Module):
            def __init__(self):
                self.attention = nn.utils.spectral_norm(nn.Linear(8, 8))
                self.heads = nn.MultiheadAttention(8, 2)
                self.scale = nn.Parameter(fastdl.ones(8))

            def forward(self, x):
                y, weights = self.heads(x, x, self.attention(x))
                return {"y": y * self.scale, "more": [weights, None]}

        boxes, arrows = drawn(tmp_path, Attention(), (4, 8))
        assert len(boxes) == 6
        assert ["mul", "[N, 4, 8]", "8 parameters"] in boxes
        assert arrows[:3] == [("input", "attention"), ("input", "heads"), ("attention", "heads")]

    def test_lazy_layers_become_ordinary(self, tmp_path):
        model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
        boxes, _ = drawn(tmp_path, model, (3,))
        assert ["Linear", "0", "[N, 4]", "16 parameters"] in boxes

    def test_one_layer_and_given_tensors(self, tmp_path):
        boxes, _ = drawn(tmp_path, nn.Linear(3, 2), fastdl.ones(7, 3))
        assert boxes[1] == ["Linear", "[N, 2]", "8 parameters"]

    def test_names_that_mean_something_in_xml(self, tmp_path):
        model = nn.Sequential()
        model.add_module("a<b>&\"c'\x01\n", nn.ReLU())
        boxes, _ = drawn(tmp_path, model, (3,))
        assert boxes[1] == ["ReLU", "a<b>&\"c'??", "[N, 3]"]

    def test_the_model_is_left_as_it_was(self, tmp_path):
        class Keeps(nn.Module):
            def __init__(self):
                self.inner = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
                self.last = None

            def forward(self, x):
                self.last = self.inner(x)
                return self.last

        model = Keeps()
        model.inner[1].eval()
        before = {name: t.numpy().copy() for name, t in model.state_dict().items()}
        state = fastdl.default_generator.get_state()
        model.plot(tmp_path / "a.svg", fastdl.randn(5, 3, generator=fastdl.Generator(1)))
        assert model.last is None
        assert [m.training for m in model.modules()] == [True, True, True, False]
        assert fastdl.default_generator.get_state() == state
        for name, value in model.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), before[name])


class TestFiles:
    def test_png(self, tmp_path):
        from matplotlib import image

        path = tmp_path / "net.PNG"
        model = Residual()
        model.plot(path, (8, 6, 6))
        pixels = image.imread(path)
        width, height = scene_of(network_of(model, [(8, 6, 6)], None, None)).size
        assert abs(pixels.shape[0] - 2 * height) < 3
        assert abs(pixels.shape[1] - 2 * width) < 3
        assert 0.02 < (pixels[..., :3].min(2) < 0.5).mean() < 0.3  # text and lines
        model.plot(path, (8, 6, 6))  # over the one that is there

    def test_a_very_long_network_is_drawn_smaller(self, tmp_path, monkeypatch):
        monkeypatch.setattr("fastdl.diagram.writers._LARGEST", 1000)
        model = nn.Sequential(*[nn.ReLU() for _ in range(20)])
        model.plot(tmp_path / "long.png", (2,))
        content = (tmp_path / "long.png").read_bytes()
        assert 990 <= int.from_bytes(content[20:24], "big") <= 1000

    @pytest.mark.parametrize("name", ["net.jpg", "net", ".svg.gz"])
    def test_other_endings_are_refused(self, tmp_path, name):
        with pytest.raises(errors.ArgumentError, match=r"\.svg or \.png"):
            nn.ReLU().plot(tmp_path / name, (2,))

    def test_where_nothing_can_be_written(self, tmp_path):
        (tmp_path / "folder.svg").mkdir()
        for path in (tmp_path / "missing" / "net.svg", tmp_path / "folder.svg"):
            with pytest.raises(errors.ArgumentError, match="cannot write"):
                nn.ReLU().plot(path, (2,))

    def test_no_matplotlib(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(errors.UnavailableError, match=r"pip install 'fastdl\[recipes\]'"):
            nn.ReLU().plot(tmp_path / "net.png", (2,))
        nn.ReLU().plot(tmp_path / "net.svg", (2,))


class TestRefusals:
    def test_a_branch_on_values(self, tmp_path):
        with pytest.raises(errors.ArgumentError, match=r"reads a tensor's elements.*\n.*depth"):
            Branching().plot(tmp_path / "net.svg", (3,))
        nn.Sequential(Branching()).plot(tmp_path / "net.svg", (3,), depth=1)

    def test_an_edit_of_elements(self, tmp_path):
        class Edits(nn.Module):
            def forward(self, x):
                x[0] = 0.0
                return x

        with pytest.raises(errors.ArgumentError, match="in place"):
            Edits().plot(tmp_path / "net.svg", (3,))

    def test_arguments(self, tmp_path):
        path = tmp_path / "net.svg"
        for inputs, options in [((), {}), ((3,), {}), (("3",), {}), (((3,),), {"depth": 0})]:
            with pytest.raises(errors.ArgumentError, match="plot"):
                nn.Linear(3, 2).plot(path, *inputs, **options)
        assert not path.exists()

    def test_the_model_s_own_errors_name_the_layer(self, tmp_path):
        model = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2)))
        with pytest.raises(errors.ShapeError, match=r"layer: +1\.0 \(Linear\)"):
            model.plot(tmp_path / "net.svg", (3,))

    def test_compile_still_refuses_edits(self):
        model = Residual().eval()
        compiled = fastdl.compile(model)
        x = fastdl.ones((1, 8, 4, 4))
        with fastdl.no_grad():
            np.testing.assert_array_equal(compiled(x).numpy(), model(x).numpy())
        assert "in place" in str(compiled.explain())


def curve(points):
    """Points along a route."""
    for (x0, y0), (x1, y1) in pairwise(points):
        for t in np.linspace(0, 1, 33):
            share = t * t * (3 - 2 * t)  # x of the Bezier curve whose middle points are at half way
            down = (1 - t) ** 3 * y0 + 3 * t * (1 - t) * (y0 + y1) / 2 + t**3 * y1
            yield x0 + (x1 - x0) * share, down


def check_layout(sizes, arrows, layout):
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), (w, h) in zip(layout.centres, sizes, strict=True)
    ]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= -1e-6
        assert top >= -1e-6
        assert right <= layout.size[0] + 1e-6
        assert bottom <= layout.size[1] + 1e-6
        for other in boxes[:i]:
            assert right < other[0] or other[2] < left or bottom < other[1] or other[3] < top
    for (tail, head), route in zip(arrows, layout.routes, strict=True):
        assert abs(route[0][1] - boxes[tail][3]) < 1e-6
        assert abs(route[-1][1] - boxes[head][1]) < 1e-6
        assert boxes[tail][0] < route[0][0] < boxes[tail][2]
        assert boxes[head][0] < route[-1][0] < boxes[head][2]
        assert route[-2][0] == route[-1][0]  # straight under the head
        for x, y in curve(route):
            assert -1e-6 <= x <= layout.size[0] + 1e-6
            for number, (left, top, right, bottom) in enumerate(boxes):
                inside = left - 1 < x < right + 1 and top < y < bottom
                assert not inside or number in (tail, head), (tail, head, number)
                assert not (left < x < right and top + 1e-3 < y < bottom - 1e-3)


class TestLayout:
    @pytest.mark.parametrize("seed", range(40))
    def test_nothing_overlaps(self, seed):
        draw = random.Random(seed)
        count = draw.randint(1, 24)
        sizes = [(draw.uniform(30, 200), draw.uniform(20, 90)) for _ in range(count)]
        arrows = sorted(
            {
                (draw.randrange(head), head)
                for head in range(1, count)
                for _ in range(draw.randint(0, 3))
            },
            key=lambda arrow: arrow[1],
        )
        check_layout(sizes, arrows, arrange(sizes, arrows))

    def test_a_chain_is_straight_beside_its_skip(self):
        sizes = [(100, 40), (80, 60), (140, 40), (100, 40)]
        arrows = [(0, 1), (1, 2), (2, 3), (0, 3)]
        layout = arrange(sizes, arrows)
        check_layout(sizes, arrows, layout)
        assert len({round(x, 3) for x, _ in layout.centres}) == 1
        lane = [x for x, _ in layout.routes[3][2:-2]]
        assert len(set(lane)) == 1  # the skip is straight, too

    def test_crossings_are_undone(self):
        sizes = [(60, 30)] * 6
        layout = arrange(sizes, [(0, 5), (1, 4), (2, 3)])
        ends = sorted(
            (layout.centres[a][0], layout.centres[b][0]) for a, b in [(0, 5), (1, 4), (2, 3)]
        )
        assert [b for _, b in ends] == sorted(b for _, b in ends)

    def test_spaced(self):
        assert spaced([0.0, 10.0], [5.0], [1.0, 1.0]) == [0, 10]
        assert spaced([0.0, 0.0], [5.0], [1.0, 1.0]) == [-2.5, 2.5]
        assert spaced([0.0, 0.0], [5.0], [4.0, 1.0]) == [-1, 4]
        assert spaced([9.0, 0.0, 0.0], [1.0, 1.0], [1.0] * 3) == [2, 3, 4]

    @pytest.mark.parametrize(
        ("model", "shape", "dtype"),
        [
            (models.LeNet5(), (1, 32, 32), None),
            (Residual(), (8, 6, 6), None),
            (models.MLP(), (1024,), None),
            (models.LSTMClassifier(bidirectional=True), (20,), "int64"),
            (models.resnet18(), (3, 32, 32), None),
        ],
        ids=["lenet", "residual", "mlp", "lstm", "resnet"],
    )
    def test_text_fits_into_its_box(self, model, shape, dtype):
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextPath

        scene = scene_of(network_of(model, [shape], dtype, None))
        check_layout(
            [shape.size for shape in scene.shapes],
            [arrow[:2] for arrow in scene.arrows],
            arrange([s.size for s in scene.shapes], [arrow[:2] for arrow in scene.arrows]),
        )
        for shown in scene.shapes:
            (left, top), (width, height) = shown.corner, shown.size
            lowest = top
            for label in shown.labels:
                font = FontProperties(
                    family="DejaVu Sans", weight="bold" if label.bold else "normal"
                )
                extents = TextPath((0, 0), label.text, size=label.size, prop=font).get_extents()
                assert label.at[0] - extents.width / 2 > left + 3
                assert label.at[0] + extents.width / 2 < left + width - 3
                assert label.at[1] - extents.y1 > lowest  # below the line before
                lowest = label.at[1] - extents.y0
            assert lowest < top + height


def test_functions_between_layers_have_their_own_names(tmp_path):
    class Mixed(nn.Module):
        def forward(self, x):
            a, b = F.chunk(x, 2, 1)
            return F.huber_loss(a.T @ b, a.T @ b).reshape(1), x[:, 0]

    boxes, arrows = drawn(tmp_path, Mixed(), (4,))
    titles = [text[0] for text in boxes]
    assert titles.count("transpose") == titles.count("matmul") == 2
    assert {("chunk", "matmul"), ("matmul", "huber_loss"), ("input", "index")} < set(arrows)
