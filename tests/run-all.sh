#!/usr/bin/env bash
# Builds once, runs every test project, prints what each did and, last, one line with the sums. Arguments: a filter for dotnet test.
set -u
cd "$(dirname "$0")/.."
filter=${1:-}
configuration=${CONFIGURATION:-Debug}
dotnet build NodeAgent.sln -c "$configuration" --nologo -v q || { echo "run-all: the build failed"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
passed=0 failed=0 skipped=0
log=$(mktemp)
export NODE_AGENT_E2E_SUMMARY
NODE_AGENT_E2E_SUMMARY=$(mktemp)
trap 'rm -f "$log" "$NODE_AGENT_E2E_SUMMARY"' EXIT
for project in tests/*.Tests/*.csproj tests/EndToEnd/*.csproj; do
  name=$(basename "$project" .csproj)
  echo "== $name"
  timeout "${TEST_TIMEOUT:-1500}" dotnet test "$project" -c "$configuration" --no-build --nologo --logger "console;verbosity=minimal" ${filter:+--filter "$filter"} >"$log" 2>&1
  code=$?
  summary=$(grep -Eo '(Failed|Passed|Skipped)! +- Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log" | tail -1)
  if [ -n "$summary" ]; then
    f=$(sed -E 's/.*Failed: +([0-9]+), Passed.*/\1/' <<<"$summary")
    p=$(sed -E 's/.*Passed: +([0-9]+), Skipped.*/\1/' <<<"$summary")
    s=$(sed -E 's/.*Skipped: +([0-9]+)$/\1/' <<<"$summary")
  elif grep -q 'No test is available\|No test matches' "$log"; then
    f=0 p=0 s=0
  else
    f=1 p=0 s=0
  fi
  # A run that ends badly without a failed test (a crash, a time-out) counts as one failure.
  [ $code -ne 0 ] && [ "$f" = 0 ] && [ -n "$summary" ] && f=1
  # Every failure by its name, then the end: what much is printed after stays in sight too.
  [ "$f" != 0 ] && { grep -E -A 4 '^[[:space:]]+Failed ' "$log" | head -n 100; tail -n 200 "$log"; }
  grep -E '^\s+Skipped ' "$log" | sort | uniq -c | head -20
  echo "   $p passed, $f failed, $s skipped"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
sort -u "$NODE_AGENT_E2E_SUMMARY"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
