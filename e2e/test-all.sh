#!/usr/bin/env bash
# Runs every test of the project, from a fresh clone, and ends with one line of counts.
#   e2e/test-all.sh              all tiers, in order
#   e2e/test-all.sh TIER...      only these: install style licences unit examples browser simulation fuzz kubernetes
#
# A tier that cannot run fails with its reason; TIM_TEST_SKIP="kubernetes" leaves one out and says so loudly at the end. With
# CI set nothing may be left out. Builds are kept in $CARGO_TARGET_DIR (default ~/.cache/timcluster/target).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/timcluster/target}
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-1}
readonly TOOLS=${TIM_TEST_TOOLS:-$HOME/.cache/timcluster/tools}
readonly CARGO_DENY_VERSION=0.20.2 CARGO_FUZZ_VERSION=0.13.2
readonly SIMULATION_SEEDS=${TIM_TEST_SEEDS:-300} FUZZ_SECONDS=${TIM_TEST_FUZZ_SECONDS:-300}
readonly CHROMIUM=${TIM_TEST_CHROMIUM:-chromium}
PATH=$TOOLS/bin:$PATH
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0 skipped=() timings=()

# Counts what a step's output reports in the form of cargo's test runner; a step without such lines counts as one test.
count() {
    local log=$1 status=$2 sums
    sums=$(awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i } seen = 1 }
        END { if (seen) print p + 0, f + 0 }' "$log")
    if [ -n "$sums" ]; then
        passed=$((passed + ${sums% *})) failed=$((failed + ${sums#* }))
        [ "$status" = 0 ] || [ "${sums#* }" != 0 ] || failed=$((failed + 1))
    elif [ "$status" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# step NAME COMMAND...: runs it, shows its output, counts its tests, remembers its seconds.
step() {
    local name=$1 log started=$SECONDS status
    shift
    log=$logs/$(tr -c 'a-z0-9\n' - <<<"$name")
    printf '\n=== %s\n' "$name"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    count "$log" "$status"
    timings+=("$(printf '%5d s  %s%s' $((SECONDS - started)) "$name" "$([ "$status" = 0 ] || echo '  FAILED')")")
    return "$status"
}

tool() { # tool CRATE VERSION BINARY: installs a cargo tool of that version unless it is there
    "$3" --version 2>/dev/null | grep -q "$2" && return
    CARGO_TARGET_DIR=$CARGO_TARGET_DIR/tools cargo install --quiet --locked --root "$TOOLS" --version "$2" "$1"
}

install_tier() { step "install system packages" e2e/cluster/cluster install; }

style_tier() {
    step "format" cargo fmt --all --check
    step "clippy" cargo clippy --quiet --workspace --all-targets -- -D warnings
    step "clippy, Kubernetes scenarios" cargo clippy --quiet -p tim-e2e --features kubernetes --all-targets -- -D warnings
    step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
}

licences_tier() {
    step "install cargo-deny" tool cargo-deny "$CARGO_DENY_VERSION" cargo-deny &&
        step "bans, licences, sources" cargo deny --log-level error check bans licenses sources
}

unit_tier() {
    step "build the programs" cargo build --quiet --profile local -p tim-node -p tim-cli -p tim-operator
    # The command line's process tests run the programs just built; the node's are run inside the tests.
    TIM_TEST_PROGRAMS=$CARGO_TARGET_DIR/local \
        step "unit, scenario, database and process tests" cargo test --quiet --workspace --no-fail-fast &&
        step "plans of the databases" cargo test --quiet -p tim-store --features explain --test plans
}

# What runs the example clients. Go is asked for by README, since the test cluster needs it as well.
install_languages() {
    local missing=()
    node --version 2>/dev/null || missing+=(nodejs)
    /usr/bin/python3 -c 'import websockets' 2>/dev/null || missing+=(python3-websockets)
    if [ ${#missing[@]} -gt 0 ]; then
        command -v apt-get >/dev/null || {
            echo "missing: ${missing[*]}, and no apt-get to install them" >&2
            return 1
        }
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    node -e 'fetch' || {
        echo "the example in JavaScript needs Node 18 or newer; this is $(node --version)" >&2
        return 1
    }
    /usr/bin/python3 -c 'import websockets' && go version
}

# npm_packages FOLDER TO: the packages that FOLDER/package-lock.json names, each checked by its hash, into TO/node_modules.
npm_packages() {
    if ! npm --version >/dev/null 2>&1; then
        command -v apt-get >/dev/null || {
            echo "no npm, and no apt-get to install it" >&2
            return 1
        }
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null || return
    fi
    if [ "$1" != "$2" ]; then
        mkdir -p "$2" && cp "$1/package.json" "$1/package-lock.json" "$2" || return
    fi
    npm ci --prefix "$2" --ignore-scripts --no-audit --no-fund
}

examples_tier() {
    if ! step "install Node, Python's websockets, and look for Go" install_languages; then
        echo "THE EXAMPLE CLIENTS WERE NOT TESTED: a language is missing" >&2
        return 1
    fi
    if ! step "install the package ws" npm_packages examples/clients/javascript examples/clients/javascript; then
        echo "THE EXAMPLE CLIENTS WERE NOT TESTED: the one in JavaScript has no WebSockets" >&2
        return 1
    fi
    TIM_TEST_PYTHON=/usr/bin/python3 step "example clients, a node killed" \
        cargo test --quiet -p tim-node --test client_examples -- --ignored --test-threads=1
}

install_chromium() {
    "$CHROMIUM" --version && return
    command -v apt-get >/dev/null || {
        echo "no $CHROMIUM, and no apt-get to install it: install Chromium, or name its program in TIM_TEST_CHROMIUM" >&2
        return 1
    }
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    "$CHROMIUM" --version
}

browser_tier() {
    if ! step "install Chromium" install_chromium; then
        echo "THE CHAT PAGE WAS NOT TESTED: there is no browser to test it in" >&2
        return 1
    fi
    if ! step "install axe-core" npm_packages e2e/browser "$TOOLS/browser"; then
        echo "THE CHAT PAGE WAS NOT TESTED: without axe-core nobody looks at its accessibility" >&2
        return 1
    fi
    TIM_TEST_CHROMIUM=$CHROMIUM TIM_TEST_AXE=$TOOLS/browser/node_modules/axe-core/axe.min.js step "chat page in a browser" \
        cargo test --quiet -p tim-node --test browser -- --ignored
}

simulation_tier() {
    step "simulation, $SIMULATION_SEEDS seeds" cargo sim --seeds "$SIMULATION_SEEDS" --from 1
}

fuzz_tier() {
    step "install cargo-fuzz" tool cargo-fuzz "$CARGO_FUZZ_VERSION" cargo-fuzz &&
        step "fuzz every decoder, $FUZZ_SECONDS s in all" node/fuzz/run "$FUZZ_SECONDS"
}

kubernetes_tier() {
    step "build the test cluster" e2e/cluster/cluster build &&
        step "kubernetes" e2e/kubernetes/run
}

readonly ALL_TIERS=(install style licences unit examples browser simulation fuzz kubernetes)
tiers=("$@")
[ ${#tiers[@]} -gt 0 ] || tiers=("${ALL_TIERS[@]}")
for tier in "${tiers[@]}"; do
    case " ${ALL_TIERS[*]} " in *" $tier "*) ;; *)
        echo "no tier \"$tier\"; there are: ${ALL_TIERS[*]}" >&2
        exit 2
        ;;
    esac
    if [ -z "${CI:-}" ] && [[ " ${TIM_TEST_SKIP:-} " == *" $tier "* ]]; then
        skipped+=("$tier")
        continue
    fi
    "${tier}_tier"
done

printf '\nseconds by step\n'
printf '%s\n' "${timings[@]}"
[ ${#skipped[@]} = 0 ] || printf 'LEFT OUT by TIM_TEST_SKIP: %s\n' "${skipped[*]}"
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "${#skipped[@]}"
[ "$failed" = 0 ]
