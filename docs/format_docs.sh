#!/bin/sh
# What Doxygen sees of a format's file: its structs with their comments, without the hooks, which format/concepts.hpp explains for all formats.
exec sed '/^struct .*{$/,/^};/{/^struct/{s/{$/{};/;p;};d;}' "$1"
