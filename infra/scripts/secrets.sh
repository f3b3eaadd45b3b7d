#!/usr/bin/env bash
# Places the app's secrets in the key vault and has the app read them. What is there is never overwritten: INDEX_KEY may not change, ever, and the
# other keys open what lies in the tables. Run by `azd up`; without azd: AZURE_KEY_VAULT_NAME=... AZURE_RESOURCE_GROUP=... AZURE_FUNCTION_APP_NAME=... bash infra/scripts/secrets.sh
# Asks for the access key of vtenext, unless VTENEXT_ACCESS_KEY holds it. Shows no value. Needs: az, signed in; python3; the vault reachable from here.
set -euo pipefail

vault=${AZURE_KEY_VAULT_NAME:?name of the key vault}
group=${AZURE_RESOURCE_GROUP:?resource group of the app}
app=${AZURE_FUNCTION_APP_NAME:?name of the function app}
credential=${APPLICATION_CREDENTIAL:-managedIdentity}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 077

# Roles given a moment ago may take minutes to act.
reachable() {
    local attempt
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        if az keyvault secret list --vault-name "$vault" --query '[].name' --output tsv >"$scratch/names" 2>"$scratch/error"; then
            az keyvault secret list-deleted --vault-name "$vault" --query '[].name' --output tsv >"$scratch/deleted"
            return 0
        fi
        echo "The vault $vault does not let us in yet (attempt $attempt of 10)." >&2
        sleep 30
    done
    cat "$scratch/error" >&2
    return 1
}

there() { grep -qx "$1" "$scratch/names"; }

# From a file, so that no list of processes shows the value.
place() {
    local name=$1 file=$2
    az keyvault secret set --vault-name "$vault" --name "$name" --file "$file" --encoding utf-8 --output none
    echo "$name: placed"
}

wanted() {
    local name=$1
    if there "$name"; then
        echo "$name: there already"
        return 1
    fi
    if grep -qx "$name" "$scratch/deleted"; then
        echo "$name was deleted and can be recovered; a new one would make the tables unreadable: az keyvault secret recover --vault-name $vault --name $name" >&2
        exit 1
    fi
}

new_key() {
    python3 -c 'import base64, secrets, sys; sys.stdout.write(sys.argv[1] + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))' "$1"
}

asked() {
    local variable=$1 question=$2 value=${!1:-}
    if [ -z "$value" ]; then
        if [ ! -t 0 ]; then
            echo "$variable is not set, and nobody can be asked." >&2
            exit 1
        fi
        read -r -s -p "$question: " value
        echo >&2
    fi
    [ -n "$value" ] || { echo "$variable is empty." >&2; exit 1; }
    printf '%s' "$value"
}

reachable
for name in index-key digest-keys encryption-keys nudge-key; do
    if wanted "$name"; then
        prefix=""
        case "$name" in digest-keys | encryption-keys) prefix="$(date -u +%Y%m%d):" ;; esac
        new_key "$prefix" >"$scratch/value"
        place "$name" "$scratch/value"
    fi
done
if wanted vtenext-access-key; then
    asked VTENEXT_ACCESS_KEY "Access key of our account in vtenext (its preferences show it)" >"$scratch/value"
    place vtenext-access-key "$scratch/value"
fi
if [ "$credential" = secret ] && wanted client-secret; then
    asked CLIENT_SECRET "Value of the client secret of the application in Entra ID" >"$scratch/value"
    place client-secret "$scratch/value"
fi

# References are read again once a day only; this asks for it now.
site=$(az functionapp show --resource-group "$group" --name "$app" --query id --output tsv)
az rest --method post --url "$site/config/configreferences/appsettings/refresh?api-version=2022-03-01" --output none
echo "The app reads its secrets anew."
