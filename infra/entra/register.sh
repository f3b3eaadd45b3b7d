#!/usr/bin/env bash
# Makes the application in Entra ID, or brings it to what it should be; may be repeated. Before the first deployment it makes it and says its client id;
# afterwards, with PUBLIC_URL and IDENTITY_PRINCIPAL_ID from the outputs of the deployment, it adds the redirect addresses and the trust.
#   MODE=application|delegated|both   who reads the mailboxes: the application, or each user who signed in
#   SCOPED=yes|no                     application mode: Exchange limits the mailboxes (scope.ps1), so Entra ID grants only what Exchange cannot
#   PAIR_BY_ADDRESS=yes|no            delegated mode: the app may look users up by address (User.Read.All)
#   APP_NAME, CLIENT_ID               the name of a new one; the id of the one that is there
# Needs: az, signed in as Application Administrator (or owner of the application); python3. Shows and makes no secret.
set -euo pipefail

mode=${MODE:?application, delegated or both}
scoped=${SCOPED:-yes}
pair=${PAIR_BY_ADDRESS:-no}
name=${APP_NAME:-vtenext-m365-sync}
client=${CLIENT_ID:-}
public=${PUBLIC_URL:-}
identity=${IDENTITY_PRINCIPAL_ID:-}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

options=(--mode "$mode")
[ "$scoped" = no ] || options+=(--scoped)
[ "$pair" = no ] || options+=(--pair-by-address)
[ -z "$public" ] || options+=(--public-url "$public")
python3 "$here/manifest.py" "${options[@]}" >"$scratch/manifest.json"

if [ -z "$client" ]; then
    mapfile -t present < <(az ad app list --filter "displayName eq '$name'" --query '[].appId' --output tsv)
    if [ "${#present[@]}" -gt 1 ]; then
        echo "Several applications are called $name: say which one with CLIENT_ID." >&2
        exit 1
    fi
    client=${present[0]:-}
fi
if [ -z "$client" ]; then
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
    echo "Made the application $name." >&2
fi
object=$(az ad app show --id "$client" --query id --output tsv)

# Without an address the redirect addresses that are there stay.
if [ -z "$public" ]; then
    python3 - "$scratch/manifest.json" <<'PYTHON'
import json, sys
body = json.load(open(sys.argv[1]))
del body["web"]["redirectUris"]
json.dump(body, open(sys.argv[1], "w"))
PYTHON
fi
az rest --method PATCH --url "https://graph.microsoft.com/v1.0/applications/$object" --headers Content-Type=application/json --body "@$scratch/manifest.json" --output none

if ! az ad sp show --id "$client" --output none 2>/dev/null; then
    az ad sp create --id "$client" --output none
fi
principal=$(az ad sp show --id "$client" --query id --output tsv)

if [ -n "$identity" ]; then
    tenant=$(az account show --query tenantId --output tsv)
    trusted=$(az ad app federated-credential list --id "$client" --query "[?subject=='$identity'].name" --output tsv)
    if [ -z "$trusted" ]; then
        printf '{"name":"vtesync-%s","issuer":"https://login.microsoftonline.com/%s/v2.0","subject":"%s","audiences":["api://AzureADTokenExchange"]}' \
            "${identity%%-*}" "$tenant" "$identity" >"$scratch/trust.json"
        az ad app federated-credential create --id "$client" --parameters "@$scratch/trust.json" --output none
        echo "The application trusts the managed identity $identity." >&2
    fi
fi

echo "ENTRA_CLIENT_ID=$client"
echo "SERVICE_PRINCIPAL_ID=$principal"
