# Short names; `.ci/run` and the README work without `just`.

# what can be done
default:
    @just --list

# the seeded month
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# all tests
test *ARGS:
    cargo test --workspace {{ARGS}}

# formats the sources
format:
    cargo fmt --all

# all lints
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# every ban fires; headers, arrows, sizes, floats, paths, links
guards:
    cargo xtask guards

# a planted bug must turn its test red
plant NAME="all":
    cargo xtask plant {{NAME}}

# the documentation, warnings are errors
docs:
    cargo xtask docs

# what the build server runs: all, quick, plants or kills
ci JOB="all":
    .ci/run {{JOB}}
