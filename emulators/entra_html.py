"""How the pages of the Entra emulator look: one template each. Ids of fields and buttons are those of Microsoft's pages where known (memory)."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import DictLoader, Environment, StrictUndefined

SENTENCES = {
    "openid": "Sign you in",
    "profile": "View your basic profile",
    "email": "View your email address",
    "offline_access": "Maintain access to data you have given it access to",
    "User.Read": "Sign you in and read your profile",
    "Contacts.Read": "Read your contacts",
    "Contacts.ReadWrite": "Have full access to your contacts",
    "Calendars.Read": "Read your calendars",
    "Calendars.ReadWrite": "Have full access to your calendars",
    "Tasks.Read": "Read your tasks",
    "Tasks.ReadWrite": "Create, read, update and delete your tasks and task lists",
    "MailboxSettings.Read": "Read your mailbox settings",
    "MailboxSettings.ReadWrite": "Read and write to your mailbox settings",
}
"""Every delegated permission that this tenant knows, as the consent page names it."""

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}Sign in to your account{% endblock %}</title>
<style>body{font:15px/1.5 "Segoe UI",system-ui,sans-serif;background:#f2f2f2;color:#1b1b1b;margin:0}
main{background:#fff;max-width:26rem;margin:4rem auto;padding:2.5rem;box-shadow:0 2px 6px #0003}
h1{font-size:1.4rem;font-weight:600;margin:.5rem 0 1rem}input[type=email]{width:100%;padding:.4rem 0;font:inherit;border:0;
border-bottom:1px solid #666}button{font:inherit;padding:.4rem 1.5rem;border:0;background:#ccc}button.primary{background:#0067b8;color:#fff}
button.tile{display:block;width:100%;text-align:left;background:#fff;border-bottom:1px solid #ddd;padding:.7rem 0}
.error{color:#e81123}.actions{margin-top:1.5rem;text-align:right}</style></head>
<body><main id="{% block id %}{% endblock %}"><div>Microsoft (emulated)</div>{% block body %}{% endblock %}</main></body></html>"""
_SIGN_IN = """{% extends "frame" %}{% block id %}sign-in{% endblock %}{% block body %}<h1>Sign in</h1>
<p>to continue to {{ app }}</p>
<form method="post" action="/{{ tenant }}/login"><input type="hidden" name="ctx" value="{{ ctx }}">
{% if error %}<p id="usernameError" class="error" role="alert">{{ error }}</p>{% endif %}
<input type="email" name="loginfmt" id="i0116" value="{{ hint }}" placeholder="Email, phone, or Skype" aria-label="Email"
 autocomplete="username" required autofocus>
<div class="actions"><button type="submit" id="idSIButton9" class="primary">Next</button></div></form>{% endblock %}"""
_PICK = """{% extends "frame" %}{% block id %}pick{% endblock %}{% block body %}<h1>Pick an account</h1>
<p>to continue to {{ app }}</p>
<form method="post" action="/{{ tenant }}/login"><input type="hidden" name="ctx" value="{{ ctx }}">
{% for person in people %}<button class="tile" name="loginfmt" value="{{ person.upn }}" data-test-id="{{ person.upn }}">
<strong>{{ person.name }}</strong><br>{{ person.upn }}<br>Signed in</button>
{% endfor %}<button class="tile" name="loginfmt" value="" id="otherTile">Use another account</button></form>{% endblock %}"""
_CONSENT = """{% extends "frame" %}{% block id %}consent{% endblock %}{% block body %}<p>{{ person.upn }}</p>
<h1>Permissions requested</h1>{% if whole %}<p>Review for your organization</p>{% endif %}<p><strong>{{ app }}</strong></p>
<p>This app would like to:</p><ul>{% for each in sentences %}<li>{{ each }}</li>{% endfor %}</ul>
<form method="post" action="/{{ tenant }}/Consent/Set"><input type="hidden" name="ctx" value="{{ ctx }}">
{% if offered %}<p><label><input type="checkbox" name="organisation" value="true"> Consent on behalf of your organization</label></p>{% endif %}
{% if whole %}<p>If you accept, this app will get access to the specified resources for all users in your organization. No one else will
be prompted to review these permissions.</p>{% endif %}
<p>Accepting these permissions means that you allow this app to use your data as specified in their terms of service and privacy statement.</p>
<div class="actions"><button type="submit" name="answer" value="cancel" id="idBtn_Back">Cancel</button>
<button type="submit" name="answer" value="accept" id="idSIButton9" class="primary">Accept</button></div></form>{% endblock %}"""
_APPROVAL = """{% extends "frame" %}{% block id %}approval{% endblock %}{% block body %}<p>{{ person.upn }}</p><h1>Need admin approval</h1>
<p><strong>{{ app }}</strong></p><p>{{ app }} needs permission to access resources in your organization that only an admin can grant.
Please ask an admin to grant permission to this app before you can use it.</p>
<form method="post" action="/{{ tenant }}/Consent/Set"><input type="hidden" name="ctx" value="{{ ctx }}">
<p><button type="submit" name="answer" value="another">Have an admin account? Sign in with that account</button></p>
<p><button type="submit" name="answer" value="cancel">Return to the application without granting consent</button></p></form>{% endblock %}"""
_ERROR = """{% extends "frame" %}{% block id %}error{% endblock %}{% block body %}<h1>Sign in</h1>
<p>Sorry, but we’re having trouble signing you in.</p><p class="error" role="alert">{{ error }}</p>{% endblock %}"""
_OUT = """{% extends "frame" %}{% block id %}signed-out{% endblock %}{% block title %}Sign out{% endblock %}{% block body %}
<h1>You signed out of your account</h1><p>It's a good idea to close all browser windows.</p>{% endblock %}"""
_POST = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Working...</title></head><body>
<form method="post" action="{{ address }}">{% for name, value in fields %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}<noscript><button>Continue</button></noscript></form><script>document.forms[0].submit()</script></body></html>"""

_pages = Environment(
    loader=DictLoader(
        {
            "frame": _FRAME,
            "sign_in": _SIGN_IN,
            "pick": _PICK,
            "consent": _CONSENT,
            "approval": _APPROVAL,
            "error": _ERROR,
            "out": _OUT,
            "post": _POST,
        }
    ),
    autoescape=True,
    undefined=StrictUndefined,
)


def render(name: str, **values: object) -> str:
    """The page of that name; every value is escaped."""
    return _pages.get_template(name).render(values)


def sentences(scopes: Iterable[str]) -> list[str]:
    """What the consent page says of them; openid and profile go without a word, User.Read says it."""
    return [SENTENCES[each] for each in scopes if each not in ("openid", "profile")]
