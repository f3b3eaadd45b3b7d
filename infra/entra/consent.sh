#!/usr/bin/env bash
# Grants, for the organisation, what register.sh put on the application's list. What that is and why: README.md beside this file. It is to be repeated whenever
# the list has changed. Needs: az, signed in as Privileged Role Administrator or Global Administrator.
set -euo pipefail

client=${CLIENT_ID:?client id of the application, as register.sh says it}
az ad app permission list --id "$client" --query '[].resourceAccess[].{permission:id, type:type}' --output table
az ad app permission admin-consent --id "$client"
echo "Granted."
