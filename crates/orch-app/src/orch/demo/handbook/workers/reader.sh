#!/bin/sh
# A worker: it reads pages and counts. `orch drive` starts it for each of its tasks, in a worktree of its own.
set -eu

# Says what it does, and takes a moment so that a person can follow.
step() { echo "$1" && sleep 0.6; }

case $ORCH_TASK in
*/list)
    step "looking into pages/"
    ls pages | sed 's/\.txt$//' > list.txt
    result="$(wc -l < list.txt | tr -d ' ') pages"
    ;;
*/words)
    step "counting the words of each page"
    for page in $(cat list.txt); do
        echo "$page $(wc -w < "pages/$page.txt" | tr -d ' ')"
    done > words.txt
    step "adding them up"
    result="$(awk '{ sum += $2 } END { print sum }' words.txt) words"
    ;;
*/longest)
    step "sorting the pages by their length"
    sort -k 2,2nr -k 1,1 words.txt | head -n 5 > longest.txt
    step "writing a line into facts.md"
    result=$(awk 'NR == 1 { print "The longest page is " $1 ", with " $2 " words." }' longest.txt)
    echo "- $result" >> facts.md
    ;;
esac

git add --all
git commit --quiet --message "$result"
inbox done --result "$result" > /dev/null
