"""The table of kernel resources, on captured output of cuobjdump; and that spills are refused."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import kernel_coverage as coverage
from tools import kernel_resources as resources

ROOT = Path(__file__).resolve().parent.parent

# Four of the kernels of a build, as cuobjdump 13.0 prints them.
SAMPLE = """\

Fatbin elf code:
================
arch = sm_80
code version = [1,8]
host = linux
compile_size = 64bit
compressed

Resource usage:
 Common:
  GLOBAL:0
 Function _ZN6fastdl4cuda6detail18elementwise_kernelILi1ENS0_47_GLOBAL__N__92a25ddb_14_binary_cuda_\
cu_a278b4ad10ComparisonILNS_7CompareE5EbEEbJbbEEEvNS0_4WalkIXplsZT2_Li1EEEET0_PT1_DpPKT2_:
  REG:21 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:592 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function _ZN6fastdl4cuda6detail18elementwise_kernelILi8ENS0_47_GLOBAL__N__92a25ddb_14_binary_cuda_\
cu_a278b4ad10ComparisonILNS_7CompareE5EbEEbJbbEEEvNS0_4WalkIXplsZT2_Li1EEEET0_PT1_DpPKT2_:
  REG:26 STACK:40 SHARED:0 LOCAL:0 CONSTANT[0]:592 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function _ZN6fastdl4cuda44_GLOBAL__N__5c99390c_7_gemm_cu_80a94439_316311gemm_kernelIfLi1ELNS1_6\
LayoutE1ELS3_1EEEvNS1_4PlanEPKT_S7_S7_PS5_PNS0_12compute_typeIS5_E4typeE:
  REG:73 STACK:0 SHARED:17408 LOCAL:0 CONSTANT[0]:528 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin elf code:
================
arch = sm_90a
code version = [1,8]

Resource usage:
 Common:
  GLOBAL:0
 Function _ZN6fastdl4cuda44_GLOBAL__N__5c99390c_7_gemm_cu_80a94439_316311gemm_kernelIfLi1ELNS1_6\
LayoutE1ELS3_1EEEvNS1_4PlanEPKT_S7_S7_PS5_PNS0_12compute_typeIS5_E4typeE:
  REG:89 STACK:0 SHARED:18432 LOCAL:0 CONSTANT[0]:528 TEXTURE:0 SURFACE:0 SAMPLER:0
"""
NAMES = (
    "void fastdl::cuda::detail::elementwise_kernel<1, fastdl::cuda::(anonymous namespace)::"
    "Comparison<(fastdl::Compare)5, bool>, bool, bool, bool>(fastdl::cuda::Walk<(2)+(1)>, bool*)",
    "void fastdl::cuda::detail::elementwise_kernel<8, fastdl::cuda::(anonymous namespace)::"
    "Comparison<(fastdl::Compare)5, bool>, bool, bool, bool>(fastdl::cuda::Walk<(2)+(1)>, bool*)",
    "void fastdl::cuda::(anonymous namespace)::gemm_kernel<float, 1, (fastdl::cuda::(anonymous "
    "namespace)::Layout)1, (fastdl::cuda::(anonymous namespace)::Layout)1>(float const*, float*)",
)


def rows():
    kernels = list(resources.parse(SAMPLE))
    assert len(kernels) == 4
    symbols = list(dict.fromkeys(kernel.symbol for kernel in kernels))
    return resources.summarise(kernels, dict(zip(symbols, NAMES, strict=True)))


def test_instantiations_are_joined_by_kernel_tile_and_architecture():
    assert rows() == {
        "binary: elementwise_kernel": {"sm_80": (2, 26, 0, 40)},
        "gemm: gemm_kernel<1>": {"sm_80": (1, 73, 17408, 0), "sm_90a": (1, 89, 18432, 0)},
    }


def test_tiles_inside_of_class_templates():
    name = "void a::softmax_kernel<true, float, a::RowTeam<256, 2>, 4>(a::Lines, long)"
    base, arguments = resources.base_name(name)
    assert base == "softmax_kernel"
    assert arguments == ["true", "float", "a::RowTeam<256, 2>", "4"]
    assert resources.tile(arguments) == "256, 2, 4"
    assert resources.base_name("a::probe(int*)") == ("probe", [])


def test_table():
    lines = resources.table(rows(), "nvcc V1").removeprefix(resources.HEAD).splitlines()
    assert lines[0] == "# nvcc V1"
    assert lines[1].split() == ["sm_80", "sm_90a"]
    assert lines[3].split()[1:] == ["elementwise_kernel", *(["2", "26", "0", "40"] + 4 * ["-"])]
    assert len({len(line) for line in lines[1:]}) == 1


def test_a_difference_fails_and_says_how_to_record_it(capsys):
    old = resources.table(rows(), "nvcc V1")
    assert resources.check(old, old, "nvcc V1", "lib.so") == 0
    assert resources.check(old, old.replace("73", "74"), "nvcc V1", "lib.so") == 1
    out = capsys.readouterr().out
    assert "+gemm: gemm_kernel<1>" in out
    assert "python tools/kernel_resources.py lib.so --write" in out


def test_another_compiler_is_not_compared(capsys):
    old = resources.table(rows(), "nvcc V1")
    assert resources.check(old, old.replace("73", "74"), "nvcc V2", "lib.so") == 0
    assert "made with nvcc V1, and this is nvcc V2" in capsys.readouterr().out


PLANTED = """\
__global__ void __launch_bounds__(1024, 2) planted(const float* x, float* y) {
  float v[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) v[i] = x[threadIdx.x + 1024 * i];
#pragma unroll
  for (int i = 0; i < 96; ++i) v[i] = v[i] * v[(i + 8) % 96] + v[(i + 31) % 96];
#pragma unroll
  for (int i = 0; i < 96; ++i) y[threadIdx.x + 1024 * i] = v[i];
}
"""


TOOLS = ("nvcc", "cmake", "ninja")


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
@pytest.mark.parametrize("arch", ["80", "90a"])
def test_the_build_refuses_spilled_registers(tmp_path, monkeypatch, arch):
    """A project of one kernel, compiled as cmake/cuda.cmake says."""
    (tmp_path / "planted.cu").write_text(PLANTED, encoding="utf-8")
    (tmp_path / "CMakeLists.txt").write_text(
        f"""\
cmake_minimum_required(VERSION 3.24)
project(planted LANGUAGES CXX)
set(FASTDL_CUDA ON)
set(FASTDL_WERROR ON)
set(FASTDL_CUDA_ARCHS {arch}-real)
include({ROOT}/cmake/cuda.cmake)
add_library(planted OBJECT planted.cu)
fastdl_cuda_options(planted)
""",
        encoding="utf-8",
    )
    monkeypatch.delenv("LD_PRELOAD", raising=False)  # a sanitizer's library is not for compilers
    configure = ["cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build"]
    subprocess.run(configure, check=True, capture_output=True)
    build = ["cmake", "--build", tmp_path / "build"]
    done = subprocess.run(build, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Registers are spilled to local memory in function" in done.stdout + done.stderr


def test_coverage_matches_the_names_of_both_compilers(tmp_path, monkeypatch, capsys):
    """nvcc names an anonymous namespace after the file, g++ does not."""
    parts = ("6fastdl4cuda", "6kernelI", "EEvPT_")
    own = "_GLOBAL__N__1234abcd_4_x_cu_5678"
    by_nvcc = [f"_ZN{parts[0]}{len(own)}{own}{parts[1]}{t}{parts[2]}" for t in "fd"]
    by_gcc = f"_ZN{parts[0]}12_GLOBAL__N_1{parts[1]}f{parts[2]}"
    dump = "arch = sm_80\n" + "".join(
        f" Function {s}:\n  REG:8 STACK:0 SHARED:0 LOCAL:0\n" for s in by_nvcc
    )
    real = resources.output
    monkeypatch.setattr(
        resources,
        "output",
        lambda *words, **o: dump if words[0] == "cuobjdump" else real(*words, **o),
    )
    log = tmp_path / "launched"
    log.write_text(by_gcc + "\n")
    words = ["kernel_coverage.py", "lib.so", str(log), "--cuobjdump", "cuobjdump"]
    for least, code in (("50", 0), ("51", 1)):
        monkeypatch.setattr("sys.argv", [*words, "--least", least])
        assert coverage.main() == code
    printed = capsys.readouterr().out
    assert "never launched: fastdl::cuda::(anonymous namespace)::kernel<double>(double*)" in printed
    assert "1 of 1 kernels and 1 of 2 instantiations (50.0 %) were launched" in printed
