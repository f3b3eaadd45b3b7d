#!/usr/bin/env bash
# Run twice, a quarter of an hour apart: first a new key is put behind the old ones, so that all instances of the app can read it; then before them,
# so that it is written with. Each time the app reads its keys anew. Not for index-key: rows are found by it, so it never changes.
#   KEY=digest-keys|encryption-keys   which list
#   AZURE_KEY_VAULT_NAME, AZURE_RESOURCE_GROUP, AZURE_FUNCTION_APP_NAME   as the deployment says them (azd env get-values)
# What becomes of the old keys stands in docs/operations.md. Shows no value. Needs: az, signed in; python3; the vault reachable from here.
set -euo pipefail

key=${KEY:?digest-keys or encryption-keys}
vault=${AZURE_KEY_VAULT_NAME:?name of the key vault}
group=${AZURE_RESOURCE_GROUP:?resource group of the app}
app=${AZURE_FUNCTION_APP_NAME:?name of the function app}
case "$key" in
    digest-keys | encryption-keys) ;;
    *)
        echo "$key is not rotated: KEY is digest-keys or encryption-keys." >&2
        exit 1
        ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 077

if ! az keyvault secret show --vault-name "$vault" --name "$key" --query value --output tsv >"$scratch/old"; then
    echo "The keys that are there cannot be read; nothing was changed." >&2
    exit 1
fi

# The new list, checked: a list without the old keys would make the tables unreadable.
python3 - "$scratch/old" "$scratch/new" <<'PYTHON'
import base64
import datetime
import re
import secrets
import sys

old = open(sys.argv[1], encoding="utf-8").read().strip()
parts = [part.strip() for part in old.split(",")]
if not all(re.fullmatch(r"[A-Za-z0-9_-]+:[A-Za-z0-9_-]{43}=?", part) for part in parts):
    sys.exit("What lies in the vault is no list of id:key; nothing was changed.")
FORM, WAIT = "%Y%m%d%H%M", datetime.timedelta(minutes=15)  # longer than a run, and than an instance that ends
now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
names = [part.partition(":")[0] for part in parts]
made = [name if re.fullmatch(r"\d{12}", name) else "" for name in names]
if len(parts) > 1 and made[-1] > made[0]:  # a new key waits behind the old ones
    ready = datetime.datetime.strptime(made[-1], FORM) + WAIT
    if now < ready:
        sys.exit(f"Instances of the app may not have read the new key yet: again from {ready:%H:%M} UTC on. Nothing was changed.")
    parts = [parts[-1], *parts[:-1]]
    print("the new key is before the old ones now: it is written with, all are read. Done")
else:
    name = now.strftime(FORM)
    if name in names:
        sys.exit(f"There is a key of this minute ({name}) already; nothing was changed.")
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    parts = [*parts, f"{name}:{key}"]
    print("a new key is behind the old ones now: it can be read. Run this again in a quarter of an hour")
with open(sys.argv[2], "w", encoding="utf-8") as new:
    new.write(",".join(parts))
PYTHON
az keyvault secret set --vault-name "$vault" --name "$key" --file "$scratch/new" --encoding utf-8 --output none

# References are read again once a day only; this asks for it now.
refresh() {
    local site
    site=$(az functionapp show --resource-group "$group" --name "$app" --query id --output tsv) || return 1
    az rest --method post --url "$site/config/configreferences/appsettings/refresh?api-version=2022-03-01" --output none
}
if ! refresh; then  # else the app would read it within a day, and the second step might come before
    printf '%s' "$(<"$scratch/old")" >"$scratch/back"  # without the line's end that az prints
    az keyvault secret set --vault-name "$vault" --name "$key" --file "$scratch/back" --encoding utf-8 --output none
    echo "The app could not be told; the keys are as they were." >&2
    exit 1
fi
echo "The app reads its secrets anew."
