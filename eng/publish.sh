#!/usr/bin/env bash
# The command `fathom` as a folder to copy: compiled ahead of time (ReadyToRun) so that it starts at once, and compiled anew
# while it runs where that is faster. It needs the .NET runtime; with --self-contained it brings its own.
#   eng/publish.sh [--self-contained] [RID] [FOLDER]      defaults: this machine's RID, artifacts/fathom
set -euo pipefail
cd "$(dirname "$0")/.."
own=false
if [ "${1:-}" = --self-contained ]; then own=true; shift; fi
rid=${1:-$(dotnet --info | awk '$1 == "RID:" { print $2; exit }')}
folder=${2:-artifacts/fathom}
# A lock file is for the portable build; publishing for one system resolves more packages than that one.
dotnet publish src/Fathom.Cli -c Release -r "$rid" --self-contained "$own" -o "$folder" --nologo -v quiet \
  -p:PublishReadyToRun=true -p:NuGetLockFilePath=obj/publish.lock.json \
  -p:CopyOutputSymbolsToPublishDirectory=false -p:PublishDocumentationFiles=false -p:PublishReferencesDocumentationFiles=false \
  -p:AllowedReferenceRelatedFileExtensions=none
du -sm "$folder"
