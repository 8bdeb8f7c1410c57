#!/usr/bin/env bash
# Makes the example bundles anew from recorded runs and puts them under DVC: `make examples`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"
archive=$(mktemp -d)/archive
export REPROKIT_ARCHIVE=$archive
reprokit init "$archive"
reprokit capture --name "lm-eval example" --from tests/recorded/lm_eval/0.4.13/hf_all_samples
reprokit capture --name "lmms-eval example" --from tests/recorded/lmms_eval/0.7.3/two_tasks
rm -rf examples/bundles examples/remote
mkdir -p examples/bundles examples/remote
for bundle in "$archive"/bundles/*/*/; do
  cp -r "$bundle" examples/bundles/
done
dvc add -q examples/bundles/*/
dvc push -q examples/bundles/*.dvc
