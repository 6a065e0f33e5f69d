"""The gates on machine code (tools/sass_gates.py), on captured output of cuobjdump."""

import pytest

from tools import sass_gates as gates

FUNCTION = """\
\t\tFunction : {symbol}
\t.headerflags\t@"EF_CUDA_ACCELERATORS EF_CUDA_SM90 EF_CUDA_VIRTUAL_SM(EF_CUDA_SM90)"
        /*0000*/                   LDC R1, c[0x0][0x28] ;      /* 0x00000a00ff017b82 */
                                          /* 0x000ff00000000800 */
"""
LINE = """\
        /*1180*/                   {text} ;                    /* 0x00000a00ff017b82 */
                                          /* 0x000ff00000000800 */
"""
HGMMA = "HGMMA.64x256x16.F32 R24, gdesc[UR24], R24, UP1"
HMMA = "HMMA.16816.F32.BF16 R4, R8, R16, R4"


def dump(arch, symbol, *instructions, padding=100):
    lines = [*instructions, *["@!P0 FADD R1, R1, R2"] * padding]
    text = "\tcode for " + arch + "\n" + FUNCTION.format(symbol=symbol)
    return text + "".join(LINE.format(text=line) for line in lines)


def check(text, name):
    codes = list(gates.parse(text.splitlines()))
    wrong, counts = gates.check(codes, {code.symbol: name for code in codes})
    return wrong, dict(counts)


def test_instructions_are_counted_without_predicates_and_modifiers():
    text = dump("sm_90a", "a", HGMMA, "@P2 STL [R1+0x80], R0", padding=3)
    text += dump("sm_80", "b", HMMA, padding=1)
    first, second = gates.parse(text.splitlines())
    assert (first.arch, first.symbol) == ("sm_90a", "a")
    assert first.opcodes == {"LDC": 1, "HGMMA": 1, "STL": 1, "FADD": 3}
    assert (second.arch, second.symbol) == ("sm_80", "b")
    assert second.opcodes == {"LDC": 1, "HMMA": 1, "FADD": 1}


@pytest.mark.parametrize(
    ("arch", "name", "instructions"),
    [
        ("sm_90a", "gemm_wgmma_kernel", [HGMMA]),
        ("sm_80", "gemm_mma_kernel", [HMMA]),
        ("sm_90a", "gemm_mma_kernel", [HMMA]),
        ("sm_80", "gemm_kernel", []),
        ("sm_80", "cosine_kernel", ["LDL R2, [R1]"]),
    ],
)
def test_what_passes(arch, name, instructions):
    assert check(dump(arch, "f", *instructions), name)[0] == []


@pytest.mark.parametrize(
    ("arch", "name", "instructions", "complaint"),
    [
        ("sm_90a", "gemm_wgmma_kernel", [HMMA], "sm_90a: gemm_wgmma_kernel has no HGMMA"),
        ("sm_80", "conv2d_mma_kernel", [], "sm_80: conv2d_mma_kernel has no HMMA"),
        ("sm_90a", "conv2d_mma_kernel", [HGMMA], "sm_90a: conv2d_mma_kernel has no HMMA"),
        ("sm_80", "gemm_kernel", ["LDL R2, [R1]"], "gemm_kernel has 1 LDL (local memory)"),
        ("sm_90a", "gemm_wgmma_kernel", [HGMMA, "STL.64 [R1], R2"], "has 1 STL (local memory)"),
        ("sm_80", "gemm_wgmma_kernel", [], "sm_80: gemm_wgmma_kernel is not empty"),
    ],
)
def test_what_does_not_pass(arch, name, instructions, complaint):
    wrong, _ = check(dump(arch, "f", *instructions), name)
    assert len(wrong) == 1
    assert complaint in wrong[0]


def test_kernels_of_another_architecture_are_empty_and_not_counted():
    text = dump("sm_80", "f", padding=5) + dump("sm_90a", "f", HGMMA)
    assert check(text, "gemm_wgmma_kernel") == ([], {"sm_90a wgmma": 1})
