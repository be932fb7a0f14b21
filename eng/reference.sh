#!/usr/bin/env bash
# Runs every reference vector whose op exists, and says which ops have no runner. FATHOM_REFERENCE names another folder.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet test -c Release tests/Fathom.Training.Tests --nologo --filter ReferenceSuiteTests --logger "console;verbosity=detailed" \
    | grep -E "not covered|differs:|reference:|expected|Failed|Passed!" | sed 's/^ *//'
