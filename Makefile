# Sluice. The two commands to begin with: `make run` and `make test`. Debian 12 is what they expect.

BUILD_PACKAGES := g++ cmake ninja-build pkg-config ccache python3 libboost1.81-dev libhiredis-dev \
	prometheus-cpp-dev nlohmann-json3-dev libyaml-cpp-dev libssl-dev libsimdjson-dev zlib1g-dev libzstd-dev
TEST_PACKAGES := libgtest-dev libgmock-dev redis-server redis-sentinel openssl curl python3-venv libbenchmark-dev libcap2-bin
CLIENT_PACKAGES := $(if $(shell command -v node),,nodejs npm)
# Python's YAML, and promtool.
CHART_PACKAGES := python3-yaml prometheus
LINT_PACKAGES := clang-format-14 clang-tidy-14
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev
BENCH_PACKAGES := libbenchmark-dev nginx wrk redis-server

JOBS ?= $(shell nproc)
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 60

.PHONY: help run build test clients asan tsan lint fuzz bench accuracy e2e clean

help:
	@echo "make run       install what is missing, build, start the gateway on its built-in example"
	@echo "make test      install what is missing, build, run every test that needs no cluster"
	@echo "make asan      the same tests under the address and undefined-behaviour sanitizers"
	@echo "make tsan      the tests of what crosses threads under the thread sanitizer"
	@echo "make lint      format, layers, coroutine hazards, headers compiled alone"
	@echo "make fuzz      every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) each"
	@echo "make bench     costs beside nginx, a do-nothing script and tiktoken, as tables"
	@echo "make accuracy  worst trailing window and utilisation of three replicas on one Redis, as a table"
	@echo "make e2e       everything on a real Kubernetes cluster"

# install(packages): apt-get what dpkg does not know yet. Services of Debian are not started.
define install
	@missing=""; for p in $(1); do \
	  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "installing:$$missing"; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
endef

# build(preset, targets)
define build
	@[ -f build/$(1)/build.ninja ] || cmake --preset $(1) >/dev/null
	cmake --build --preset $(1) -j $(JOBS) $(if $(2),--target $(2))
endef

build:
	$(call install,$(BUILD_PACKAGES))
	@[ -f build/release/build.ninja ] || cmake --preset release -DSLUICE_TESTS=OFF >/dev/null
	cmake --build --preset release -j $(JOBS) --target sluice

run: build
	./build/release/sluice gateway

test:
	$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES) $(CLIENT_PACKAGES) $(CHART_PACKAGES))
	@cmake --preset release -DSLUICE_TESTS=ON >/dev/null
	cmake --build --preset release -j $(JOBS)
	ctest --test-dir build/release --output-on-failure -j $(JOBS)

asan:
	$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(call build,asan)
	ctest --test-dir build/asan --output-on-failure -j $(JOBS) -LE 'clients|lint|chart'

tsan:
	$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	$(call build,tsan)
	ctest --test-dir build/tsan --output-on-failure -j $(JOBS) -LE 'clients|lint|chart'

lint:
	$(call install,$(BUILD_PACKAGES) $(LINT_PACKAGES))
	tests/lint/run

fuzz:
	$(call install,$(BUILD_PACKAGES) $(FUZZ_PACKAGES))
	$(call build,fuzz)
	tests/fuzz/run build/fuzz $(FUZZ_SECONDS)

bench:
	$(call install,$(BUILD_PACKAGES) $(BENCH_PACKAGES) $(TEST_PACKAGES))
	$(call build,bench)
	tests/bench/run build/bench

accuracy:
	$(call install,$(BUILD_PACKAGES) $(TEST_PACKAGES))
	@[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
	cmake --build --preset release -j $(JOBS) --target sluice
	tests/accuracy/run build/release/sluice

e2e:
	$(call install,$(BUILD_PACKAGES))
	e2e/run

clean:
	rm -rf build
