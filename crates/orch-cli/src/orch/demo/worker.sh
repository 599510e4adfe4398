#!/bin/sh
# A worker of `orch demo`: claims work from the queue "scribes", does it with ordinary tools, and reports.
# Run as `worker.sh NAME` in the demo's folder, with ORCH_STORE set and `inbox` on PATH.
set -u
export INBOX_AGENT="$1" ORCH_OUTPUT=json

# The value of a text field in a line of JSON.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

while claimed=$(inbox claim --for scribes --wait 5s); do
    INBOX_THREAD=$(printf '%s\n' "$claimed" | sed -n 's/.*"thread":{"id":"\([^"]*\)".*/\1/p')
    INBOX_LEASE=$(printf '%s\n' "$claimed" | field token)
    export INBOX_THREAD INBOX_LEASE
    attempt=$(printf '%s\n' "$claimed" | sed -n 's/.*"payload":{"task":"[^"]*","attempt":"\([^"]*\)".*/\1/p')
    key=${attempt#*/}
    key=${key%@*}
    sleep 0.2 # So that a person can follow.

    case $key in
    list)
        ls pages > out/list.txt
        result="$(wc -l < out/list.txt | tr -d ' ') pages"
        ;;
    words)
        (cd pages && wc -w -- *.txt) | sed '/ total$/d' > out/words.txt
        inbox progress "counted, adding up" --percent 80 > /dev/null
        sleep 0.2
        result="$(awk '{ words += $1 } END { print words }' out/words.txt) words"
        ;;
    options)
        for page in pages/*.txt; do
            grep -oE -- '--[a-z][a-z-]+' "$page" | sort -u
        done | sort | uniq -c > out/options.txt
        result="$(wc -l < out/options.txt | tr -d ' ') options"
        ;;
    commands)
        for page in pages/*.txt; do
            name=$(basename "$page" .txt | tr '-' ' ')
            printf -- '- `%s`: %s\n' "$name" "$(head -n 1 "$page")"
        done > out/commands.txt
        result="$(wc -l < out/commands.txt | tr -d ' ') first lines"
        ;;
    examples)
        case $attempt in
        *@1)
            # The first try is made to fail, to show what happens then.
            inbox fail --reason "a page was being rewritten while I read it" > /dev/null
            continue
            ;;
        esac
        grep -LE '^EXAMPLES?:' pages/*.txt > out/without-example.txt
        result="$(wc -l < out/without-example.txt | tr -d ' ') pages without an example"
        ;;
    longest)
        sort -rn out/words.txt | head -n 5 > out/longest.txt
        result="the longest is $(awk 'NR == 1 { print $2 " with " $1 " words" }' out/longest.txt)"
        ;;
    order)
        answer=$(inbox ask "Sort the index of options by name or by use?" --option name --option use --wait 60s)
        case $(printf '%s\n' "$answer" | sed -n 's/.*"answer":{.*"body":"\([^"]*\)".*/\1/p') in
        use) sort -rn out/options.txt > out/index.txt ;;
        *) sort -k 2 out/options.txt > out/index.txt ;;
        esac
        result="the most used is $(awk 'NR == 1 { print $2 }' out/index.txt)"
        ;;
    report)
        {
            printf '# The help pages of orch and inbox\n\n## Commands\n\n'
            cat out/commands.txt
            printf '\n## The five longest pages\n\n'
            awk '{ print "- " $2 ": " $1 " words" }' out/longest.txt
            printf '\n## Options, and how many pages take them\n\n'
            awk '{ print "- `" $2 "`: " $1 }' out/index.txt
            printf '\n## Pages without an example\n\n'
            sed 's/^pages/-/; s/^-\//- /' out/without-example.txt
        } > report.md
        result="report.md has $(wc -l < report.md | tr -d ' ') lines"
        ;;
    proof)
        missing=0
        while read -r page; do
            name=$(basename "$page" .txt | tr '-' ' ')
            grep -qF "\`$name\`" report.md || missing=$((missing + 1))
        done < out/list.txt
        if [ "$missing" -gt 0 ]; then
            inbox fail --reason "$missing commands are missing in report.md" --final > /dev/null
            continue
        fi
        result="every command is in report.md"
        ;;
    *)
        inbox fail --reason "I do not know how to do $key" --final > /dev/null
        continue
        ;;
    esac
    inbox done --result "$result" > /dev/null
done
