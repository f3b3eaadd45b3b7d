#!/usr/bin/env bash
# Gives a user, or a group of users, the app role Connector.Admin: the only thing that makes somebody an administrator of the panel.
#   PRINCIPAL_ID   object id of the user or group (groups need Entra ID P1)
# Needs: az, signed in as Application Administrator (or owner of the enterprise application); python3.
set -euo pipefail

client=${CLIENT_ID:?client id of the application}
principal=${PRINCIPAL_ID:?object id of the user or group}
here=$(cd "$(dirname "$0")" && pwd)
role=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["admin_role"]["id"])' "$here/permissions.json")
resource=$(az ad sp show --id "$client" --query id --output tsv)
url="https://graph.microsoft.com/v1.0/servicePrincipals/$resource/appRoleAssignedTo"

given=$(az rest --method GET --url "$url" --query "value[?principalId=='$principal' && appRoleId=='$role'].id" --output tsv)
if [ -n "$given" ]; then
    echo "Has the role already."
    exit 0
fi
az rest --method POST --url "$url" --headers Content-Type=application/json \
    --body "{\"principalId\":\"$principal\",\"resourceId\":\"$resource\",\"appRoleId\":\"$role\"}" --output none
echo "Connector.Admin given."
