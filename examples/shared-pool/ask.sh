#!/bin/sh -eu
# Asks a shop that answers two requests at a time. With --all it is a request that takes both.
count=1
[ "$1" != --all ] || { count=2; shift; }
mkdir -p "$OUT/asking"
for n in $(seq $count); do touch "$OUT/asking/$$-$n"; done
asking=$(ls "$OUT/asking" | wc -l)
echo "asks for $1; requests under way: $asking"
sleep 0.3
rm "$OUT/asking/$$"-*
[ "$asking" -le 2 ]
