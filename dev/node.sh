#!/bin/sh
# Runs a TypeScript file by the pinned Node of node_modules, else by the machine's own where it is new enough.
# It replaces this shell, so that signals reach it.
pinned=$(dirname "$0")/../node_modules/.bin/node
if [ -x "$pinned" ] && "$pinned" --version >/dev/null 2>&1; then
  exec "$pinned" "$@"
fi
version=$(node --version 2>/dev/null || echo none)
major=${version#v}
major=${major%%.*}
if [ "$major" -ge 24 ] 2>/dev/null; then
  exec node "$@"
fi
echo "This needs Node 24 or newer (here: $version). On Linux x64 and arm64 npm installs it: npm ci. Elsewhere get it from https://nodejs.org or with your version manager." >&2
exit 1
