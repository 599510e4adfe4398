#!/bin/sh
# A worker: it puts together what the others found.
set -eu

step() { echo "$1" && sleep 0.6; }

case $ORCH_TASK in
*/examples)
    step "looking for examples"
    case $ORCH_ATTEMPT in
    *@1)
        # The first try is made to fail, to show what happens then.
        inbox fail --reason "A page was being rewritten while I read it." > /dev/null
        exit
        ;;
    esac
    grep -LE '^EXAMPLES?:' pages/*.txt > without-example.txt || true
    result="$(wc -l < without-example.txt | tr -d ' ') pages without an example"
    ;;
*/both)
    step "comparing the two programs"
    for program in orch inbox; do
        cat pages/$program-*.txt | grep -oE -- '--[a-z][a-z-]+' | sort -u
    done | sort | uniq -d > both.txt
    result="$(wc -l < both.txt | tr -d ' ') options that both take"
    ;;
*/handbook)
    step "putting the handbook together"
    {
        printf '# Handbook of orch and inbox\n'
        printf '\n## Facts\n\n' && sed -n 's/^- /- /p' facts.md
        printf '\n## Commands\n\n' && sed 's/^\([^ ]*\) /- `\1`: /' commands.txt
        printf '\n## The five longest pages\n\n' && sed 's/^\([^ ]*\) /- `\1`: /; s/$/ words/' longest.txt
        printf '\n## Options, and how many pages take them\n\n' && sed 's/^\([^ ]*\) /- `\1`: /' options.txt
        printf '\n## Options of both programs\n\n' && sed 's/.*/- `&`/' both.txt
        printf '\n## Pages without an example\n\n' && sed 's/.*/- &/' without-example.txt | grep . || echo "None."
    } > handbook.md
    step "reading the proofs"
    result="handbook.md has $(wc -l < handbook.md | tr -d ' ') lines"
    ;;
*/contents)
    step "adding the table of contents"
    {
        head -n 1 handbook.md && echo
        sed -n 's/^## /- /p' handbook.md
        tail -n +2 handbook.md
    } > with-contents.md
    mv with-contents.md handbook.md
    result="A table of contents"
    ;;
esac

git add --all
git commit --quiet --message "$result"
inbox done --result "$result" > /dev/null
