#!/bin/sh
# Stands for the dump of a database. The first one is cut off, so that there is something to repair.
set -eu
printf 'bread 2.40\nmilk 1.10\n' > out/dump
if [ -e out/tried ]; then echo 'end of dump' >> out/dump; fi
touch out/tried
