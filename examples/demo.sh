#!/usr/bin/env bash
# The main job on a real evaluation: capture, check, show, reproduce, compare. Called by `make demo`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
home=$(dirname "$here")
demo=$home/.demo
export PATH="$home/.venv/bin:$demo/lm-eval/bin:$PATH"
export REPROKIT_ARCHIVE=$demo/archive HF_HUB_OFFLINE=1
# Git's own settings of the caller have no say in the scratch repository.
git_here() { git -c user.name=demo -c user.email=demo@example.invalid -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"; }

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
show() { printf '\033[2m$%s\033[0m\n' "$(printf ' %q' "$@")"; }
run() {
  show "$@"
  "$@"
}
# Runs a command with the evaluation's own chatter in a file, and shows what reprokit said.
quietly() {
  show "$@"
  "$@" 2> "$demo/output.log" > "$demo/stdout.log" || {
    status=$?
    cat "$demo/output.log" "$demo/stdout.log"
    exit $status
  }
  sed -n '/^reprokit: /,$p' "$demo/output.log"
}

rm -rf "$demo/archive" "$demo/evals" "$demo/workspace"
mkdir -p "$demo/evals"
cp -r "$here"/lm_eval_arithmetic/. "$demo/evals"
cd "$demo/evals"
git_here init -q -b main
git_here add -A
git_here commit -q -m "Two toy tasks"
echo "# an uncommitted change: it is captured too" >> tasks/sums.yaml

step "1. An archive, and a real lm-eval run in it"
run reprokit init "$demo/archive" 2> /dev/null
quietly reprokit capture --name demo -- lm_eval run --model dummy --model_args model=toy-org/guesser --seed 7 \
  --tasks toy_arithmetic --include_path tasks --output_path results --log_samples

step "2. Is it whole? What is in it?"
run reprokit validate latest
run reprokit list
run reprokit show latest
bundle=$(reprokit list --json | "$home/.venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)[-1]["id"])')
payload=$demo/archive/bundles/${bundle:0:4}-${bundle:4:2}/$bundle
printf '\033[2m$ cd %q && sha256sum --quiet -c manifest-sha256.txt\033[0m\n' "$payload"
(cd "$payload" && sha256sum --quiet -c manifest-sha256.txt && echo "every byte is what was captured")

step "3. Again, from the bundle alone: its source, its packages, its command"
show reprokit reproduce "$bundle" --yes --allow-sdist
reprokit reproduce "$bundle" --yes --allow-sdist 2> "$demo/output.log" || {
  status=$?
  cat "$demo/output.log"
  exit $status
}

step "4. What differs between the two?"
run reprokit diff "$bundle" latest

step "Done"
cat <<END
The first bundle lies in $payload
Open its data/README.md, or try:
  export REPROKIT_ARCHIVE=$(printf %q "$demo/archive")
  alias reprokit=$(printf %q "$home/.venv/bin/reprokit")
  reprokit show latest --samples sums
  reprokit reproduce latest --plan
  reprokit status
END
