#!/usr/bin/env bash
# The README's first command, and what it promises: the sick network is mended, and the file that comes out can be trained.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
dotnet run -c Release --project src/Fathom.Cli -- fix samples/deep-sigmoid.yaml --out "$out/fixed.yaml" --json "$out/fix.json"
result=$(tr -d '\n' < "$out/fix.json")
grep -q '"cause": *"vanishing"' <<< "$result"
repair=$(grep -oE '"repair": *\{[^}]*' <<< "$result")
accuracy=$(grep -oE '"accuracy": *[0-9.]+' <<< "$repair" | grep -oE '[0-9.]+')
control=$(grep -oE '"control_accuracy": *[0-9.]+' <<< "$repair" | grep -oE '[0-9.]+')
echo "mended $accuracy, control $control"
awk -v a="$accuracy" -v c="$control" 'BEGIN { exit !(a >= 0.95 && c <= 0.2) }'
dotnet run -c Release --no-build --project src/Fathom.Cli -- train "$out/fixed.yaml" --quiet
