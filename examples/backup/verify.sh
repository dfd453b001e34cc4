#!/bin/sh
set -eu
if [ "$(tail -n 1 out/dump)" != 'end of dump' ]; then
  echo 'the dump is cut off'
  exit 1
fi
echo "$(wc -l < out/dump) lines, complete"
