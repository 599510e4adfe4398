#!/bin/sh
# A worker: it makes indexes. It asks when it does not know, and reads in its brief, $1, what went wrong before.
set -eu

step() { echo "$1" && sleep 0.6; }

case $ORCH_TASK in
*/options)
    step "looking for options in each page"
    for page in $(cat list.txt); do
        grep -oE -- '--[a-z][a-z-]+' "pages/$page.txt" | sort -u
    done | sort | uniq -c | awk '{ print $2, $1 }' > options.txt
    order=$(sed -n 's/^answer: //p' "$1")
    if [ -z "$order" ]; then
        echo "asking how to sort them"
        answer=$(inbox ask "Sort the options by name or by use?" --option name --option use --wait 10m)
        order=$(printf '%s\n' "$answer" | sed -n 's/.*"answer":{.*"body":"\([^"]*\)".*/\1/p')
    fi
    step "sorting them by $order"
    case $order in
    use) sort -k 2,2nr -k 1,1 options.txt > sorted.txt ;;
    *) sort options.txt > sorted.txt ;;
    esac
    mv sorted.txt options.txt
    step "writing a line into facts.md"
    result=$(sort -k 2,2nr options.txt | awk -v all="$(wc -l < list.txt)" '
        $2 < all { print "The option that most pages take, beside those of all pages, is " $1 "."; exit }')
    echo "- $result" >> facts.md
    ;;
*/commands)
    step "taking the first line of each page"
    pages=pages/orch-*.txt # It does not think of the other program …
    if grep -q "commands.txt lacks inbox" "$1"; then
        step "the check missed the pages of inbox: these too"
        pages=pages/*.txt # … until the check has told it.
    fi
    for page in $pages; do
        echo "$(basename "$page" .txt) $(head -n 1 "$page")"
    done > commands.txt
    result="$(wc -l < commands.txt | tr -d ' ') first lines"
    ;;
esac

git add --all
git commit --quiet --message "$result"
inbox done --result "$result" > /dev/null
