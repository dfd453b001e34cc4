#!/bin/sh -eu
# Adds a line to a file that only one may write to.
mkdir "$OUT/writing"
lines=$(cat "$OUT/report.txt" 2>/dev/null || true)
sleep 0.2
printf '%s\n' "$lines" "$1" | sed '/^$/d' > "$OUT/report.txt"
rmdir "$OUT/writing"
