#!/bin/sh
# Stands for what pages somebody: it writes the message into a file.
echo "$1" >> out.txt
