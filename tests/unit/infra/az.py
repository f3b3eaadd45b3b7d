"""A stand-in for the Azure CLI, for the scripts of infra/: knows the few commands that they use, keeps its state in a file, writes down every call.

Put on PATH as `az`; AZ_STATE names the file. An unknown command fails, as a misspelt one would.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def content(text: str) -> Any:
    """A body: a file's, after @, or the text itself."""
    return json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)


def answer(words: list[str], state: dict[str, Any]) -> str:
    """What the command prints. Raises KeyError for what is not there."""
    match [word for word in words if not word.startswith("-")][:4]:
        case ["keyvault", "secret", "list", *_]:
            return "\n".join(state["secrets"])
        case ["keyvault", "secret", "list-deleted", *_]:
            return "\n".join(state["deleted"])
        case ["keyvault", "secret", "set", *_]:
            state["secrets"][option(words, "--name")] = Path(option(words, "--file")).read_text("utf-8")
            return ""
        case ["keyvault", "secret", "show", *_]:
            return str(state["secrets"][option(words, "--name")])
        case ["functionapp", "show", *_]:
            return "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/f"
        case ["account", "show", *_]:
            return "00000000-0000-0000-0000-00000000000f"
        case ["ad", "app", "list", *_]:
            return "\n".join(state["apps"])
        case ["ad", "app", "create", *_]:
            state["apps"]["client-1"] = {"trust": []}
            return "client-1"
        case ["ad", "app", "show", *_]:
            return "object-of-" + option(words, "--id") if state["apps"][option(words, "--id")] else ""
        case ["ad", "app", "federated-credential", "list"]:
            trust = state["apps"][option(words, "--id")]["trust"]
            return "\n".join(each["name"] for each in trust if each["subject"] in option(words, "--query"))
        case ["ad", "app", "federated-credential", "create"]:
            state["apps"][option(words, "--id")]["trust"].append(content(option(words, "--parameters")))
            return ""
        case ["ad", "app", "permission", "list"]:
            return "\n".join(state["apps"][option(words, "--id")]["asked"])
        case ["ad", "app", "permission", "admin-consent"]:
            state["apps"][option(words, "--id")]["granted"] = state["apps"][option(words, "--id")]["asked"]
            return ""
        case ["ad", "sp", "show", *_]:
            return state["principals"][option(words, "--id")]
        case ["ad", "sp", "create", *_]:
            state["principals"][option(words, "--id")] = "principal-1"
            return ""
        case ["rest", *_] if option(words, "--method") == "PATCH":
            state["patched"].append(content(option(words, "--body")))
            return ""
        case ["rest", *_] if option(words, "--method") == "GET":
            return "\n".join(each["id"] for each in state["given"] if each["principalId"] in option(words, "--query"))
        case ["rest", *_] if option(words, "--method") == "POST":
            state["given"].append({"id": "given-1", **content(option(words, "--body"))})
            return ""
        case ["rest", *_] if option(words, "--method") == "post":
            if state.get("deaf"):
                raise KeyError("the app")
            state["refreshed"] = option(words, "--url")
            return ""
        case unknown:
            raise ValueError(f"az knows no {' '.join(unknown)}")


def main() -> int:
    path = Path(os.environ["AZ_STATE"])
    state = json.loads(path.read_text("utf-8"))
    state["calls"].append(sys.argv[1:])
    try:
        said = answer(sys.argv[1:], state)
    except (KeyError, ValueError) as error:
        print(error, file=sys.stderr)
        return 3
    finally:
        path.write_text(json.dumps(state), "utf-8")
    if said and option(sys.argv[1:], "--output") != "none":
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
