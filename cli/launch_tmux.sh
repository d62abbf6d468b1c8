#!/bin/sh
# A coordinator, three workers and an evaluator in five tmux panes: what `zfed launch` does, to read and to edit.
# Run it from a checkout after `make setup`, or anywhere `zfed` is on the PATH.
set -eu

SESSION=zfed
CONFIG=${1:-examples/five-terminals/zfed.toml}
[ -x .venv/bin/zfed ] && PATH=$PWD/.venv/bin:$PATH

command -v tmux >/dev/null || { echo "tmux is not installed" >&2; exit 1; }
if tmux has-session -t "=$SESSION" 2>/dev/null; then
  echo "there is a tmux session '$SESSION' already: tmux attach -t $SESSION" >&2
  exit 1
fi

# Keys for this run alone. To use your own instead: zfed keys new, zfed enroll, and no --keys below.
KEYS=$(mktemp -d "${TMPDIR:-/tmp}/zfed-keys-XXXXXX")
zfed keys new coordinator --keys "$KEYS"
for name in alice bob charlie evaluator; do
  zfed keys new "$name" --keys "$KEYS" | zfed enroll "$name" - --keys "$KEYS"
done
MEMBER="--keys '$KEYS' --coordinator-key $(cat "$KEYS/coordinator.pub")"

# Panes stay when their command has ended, so that its last words can be read.
tmux new-session -d -s "$SESSION" -x 200 -y 50 \
  "PATH='$PATH' zfed coordinator --config '$CONFIG' --keys '$KEYS' && rm -r '$KEYS'" \; \
  set-option -w -t "=$SESSION:" remain-on-exit on \; \
  set-option -w -t "=$SESSION:" pane-border-status top \; \
  set-option -w -t "=$SESSION:" pane-border-format ' #{pane_title} ' \; \
  select-pane -t "=$SESSION:" -T coordinator

pane() {  # title, then the words after `zfed`
  title=$1
  shift
  tmux split-window -t "=$SESSION:" "PATH='$PATH' zfed $*" \; \
    select-pane -t "=$SESSION:" -T "$title" \; \
    select-layout -t "=$SESSION:" tiled
}

pane alice     worker "$MEMBER" --name alice --labels 0-3 --share-label-counts --threads 1
pane bob       worker "$MEMBER" --name bob --labels 4-6 --share-label-counts --threads 1
pane charlie   worker "$MEMBER" --name charlie --labels 7-9 --share-label-counts --threads 1
pane evaluator evaluator "$MEMBER" --name evaluator --share-label-counts --threads 1

if [ -t 1 ]; then exec tmux attach -t "$SESSION"; else echo "tmux attach -t $SESSION"; fi
