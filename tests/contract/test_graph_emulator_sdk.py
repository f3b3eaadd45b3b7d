"""A judge that is not ours: Microsoft's msgraph-sdk and azure-identity drive both emulators, in process and over loopback.

Set up as azure/FACTS.md (msgraph-sdk, msal) shows: own httpx client under the SDK's middleware; the credential keeps
the real authority, and its transport redirects that host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport, HttpRequest
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.models.contact import Contact
from msgraph.generated.models.contact_folder import ContactFolder
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.single_value_legacy_extended_property import SingleValueLegacyExtendedProperty
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from emulators.entra import EntraEmulator
from emulators.graph import GraphEmulator
from emulators.graph.auth import RemoteKeys
from emulators.inprocess import InProcessTransport
from emulators.serving import BreakConnections
from tests.contract.graph_schema import judge
from tests.contract.graph_world import served

APP, SECRET, MAIL = "99999999-aaaa-4bbb-8ccc-dddddddddddd", "s3cret", "anna@example.com"
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:msgraph", "ignore::DeprecationWarning:kiota_abstractions"
)
STAMP = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name CrmId"


class Redirect(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Sends what azure-identity asks of login.microsoftonline.com to the Entra emulator."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        url = httpx.URL(request.url)
        assert url.host == "login.microsoftonline.com"
        assert isinstance(request.data, dict)
        answer = await self._client.request(request.method, url.raw_path.decode(), data=request.data)
        return Buffered(request, answer)

    async def open(self) -> None:
        """The client is open already."""

    async def close(self) -> None:
        """The fixture closes the client."""

    async def __aenter__(self) -> Redirect:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.close()


class Buffered(AsyncHttpResponse):
    """An httpx answer as azure-core wants it, already read."""

    def __init__(self, request: HttpRequest, answer: httpx.Response) -> None:
        super().__init__(request, answer)
        self.status_code = answer.status_code
        self.headers = answer.headers
        self.reason = answer.reason_phrase
        self.content_type = answer.headers.get("content-type")

    def body(self) -> bytes:
        return bytes(self.internal_response.content)


@dataclass
class Stand:
    """The emulator and the SDK's client on top of it."""

    graph: GraphEmulator
    sdk: GraphServiceClient
    raw: httpx.AsyncClient


async def stand(graph: GraphEmulator, base: str, http: httpx.AsyncClient, entra: httpx.AsyncClient) -> Stand:
    tenant = "11111111-2222-4333-8444-555555555555"
    credential = ClientSecretCredential(tenant, APP, SECRET, transport=Redirect(entra))
    client = GraphClientFactory.create_with_default_middleware(client=http)
    auth = AzureIdentityAuthenticationProvider(
        credential, scopes=["https://graph.microsoft.com/.default"], allowed_hosts=["127.0.0.1"]
    )
    adapter = GraphRequestAdapter(auth, client=client)
    adapter.base_url = base
    return Stand(graph, GraphServiceClient(request_adapter=adapter), http)


@pytest.fixture(params=["in process", "loopback"])
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    entra = EntraEmulator()
    entra.add_app(APP, SECRET, roles=("Contacts.ReadWrite", "User.Read.All"))
    hooks: dict[str, list[Any]] = {"response": [judge]}
    if request.param == "in process":
        graph = GraphEmulator(keys=entra.keys)
        graph.add_user(MAIL, "Anna Neri")
        login = httpx.AsyncClient(transport=InProcessTransport(entra.app), base_url="http://entra")
        http = httpx.AsyncClient(transport=InProcessTransport(graph.app), event_hooks=hooks)
        async with login, http:
            yield await stand(graph, "http://127.0.0.1/v1.0", http, login)
        return
    with served(BreakConnections(entra.app)) as entra_url:
        graph = GraphEmulator(keys=RemoteKeys(entra_url))
        graph.add_user(MAIL, "Anna Neri")
        with served(BreakConnections(graph.app)) as graph_url:
            login = httpx.AsyncClient(base_url=entra_url, trust_env=False)
            http = httpx.AsyncClient(event_hooks=hooks, trust_env=False)
            async with login, http:
                yield await stand(graph, f"{graph_url}/v1.0", http, login)


def immutable() -> RequestConfiguration[Any]:
    configuration: RequestConfiguration[Any] = RequestConfiguration()
    configuration.headers.add("Prefer", 'IdType="ImmutableId"')
    return configuration


async def test_a_folder_its_contacts_and_their_delta(sdk: Stand) -> None:
    user = sdk.sdk.users.by_user_id(MAIL)
    folder = await user.contact_folders.post(ContactFolder(display_name="vtenext"))
    assert folder is not None
    assert folder.id
    contacts = user.contact_folders.by_contact_folder_id(folder.id).contacts

    stamp = SingleValueLegacyExtendedProperty(id=STAMP, value="12x5")
    body = Contact(
        given_name="Zoë",
        surname="Rossi",
        email_addresses=[EmailAddress(address="zoe@example.com", name="Zoë")],
        single_value_extended_properties=[stamp],
    )
    made = await contacts.post(body, immutable())
    assert made is not None
    assert made.id
    assert (made.display_name, made.parent_folder_id) == ("Zoë Rossi", folder.id)
    assert made.additional_data["@odata.etag"] == f'W/"{made.change_key}"'

    delta = await contacts.delta.get(immutable())
    assert delta is not None
    assert [each.id for each in delta.value or []] == [made.id]
    link = delta.odata_delta_link
    assert link

    changed = await user.contacts.by_contact_id(made.id).patch(Contact(job_title="CEO"), immutable())
    assert changed is not None
    assert (changed.job_title, changed.given_name) == ("CEO", "Zoë")
    stale = immutable()
    stale.headers.add("If-Match", made.additional_data["@odata.etag"])
    with pytest.raises(ODataError) as refused:
        await user.contacts.by_contact_id(made.id).patch(Contact(job_title="CTO"), stale)
    assert refused.value.response_status_code == 412
    assert refused.value.error is not None
    assert refused.value.error.code == "ErrorIrresolvableConflict"

    again = await contacts.delta.with_url(link).get(immutable())
    assert again is not None
    assert [each.job_title for each in again.value or []] == ["CEO"]
    await user.contacts.by_contact_id(made.id).delete()
    last = await contacts.delta.with_url(str(again.odata_delta_link)).get()
    assert last is not None
    assert [each.additional_data.get("@removed") for each in last.value or []] == [{"reason": "deleted"}]


async def test_users_and_a_mailbox_without_licence(sdk: Stand) -> None:
    users = await sdk.sdk.users.get()
    assert users is not None
    assert [each.mail for each in users.value or []] == [MAIL]
    sdk.graph.set_user(MAIL, licensed=False)
    with pytest.raises(ODataError) as refused:
        await sdk.sdk.users.by_user_id(MAIL).contacts.get()
    assert refused.value.response_status_code == 404
    assert refused.value.error is not None
    assert refused.value.error.code == "MailboxNotEnabledForRESTAPI"
