#!/bin/sh
# Judges what is there: each of these names every page. The tool runs this on what a worker reports, and again on
# what comes of merging it.
fine=true
for list in list.txt words.txt commands.txt handbook.md; do
    [ -e "$list" ] || continue
    differ=$({
        ls pages | sed 's/\.txt$//'
        grep -oE '(orch|inbox)(-[a-z]+)+' "$list" | sort -u
    } | sort | uniq -u)
    if [ -n "$differ" ]; then
        echo "$list lacks" $differ
        fine=false
    fi
done
$fine
