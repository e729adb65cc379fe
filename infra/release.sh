#!/bin/sh
# Tells a name for what a deployment consists of: what `sam build` has built, and the parameters. The same name means that nothing
# has changed; with another, every function gets a new version, to which the alias `live` moves (docs/decisions/0007-releases.md).
#
#   release.sh BUILD PARAMETERS
set -eu

[ $# = 2 ] || {
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
# By its contents alone: neither the folder's own name nor any time is in it. Of the parameters neither comments nor blank lines are.
{
    (cd "$1" && find . -type f | LC_ALL=C sort | while read -r file; do sha256sum "$file"; done)
    sed '/^[[:space:]]*\(#.*\)\{0,1\}$/d' "$2"
} | sha256sum | cut -c 1-40
