"""Microsoft's own msgraph-sdk drives the emulated calendar: create, list, instances, exceptions, calendarView and its delta."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest
from kiota_abstractions.authentication.anonymous_authentication_provider import AnonymousAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.day_of_week import DayOfWeek
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.patterned_recurrence import PatternedRecurrence
from msgraph.generated.models.recurrence_pattern import RecurrencePattern
from msgraph.generated.models.recurrence_pattern_type import RecurrencePatternType
from msgraph.generated.models.recurrence_range import RecurrenceRange
from msgraph.generated.models.recurrence_range_type import RecurrenceRangeType
from msgraph.generated.models.sensitivity import Sensitivity
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from emulators.inprocess import InProcessTransport
from tests.contract.graph_calendar import MAIL, ROME, emulator
from tests.contract.graph_schema import judge

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:msgraph", "ignore::DeprecationWarning:kiota_abstractions"
)
FROM, UNTIL = "2026-11-01T00:00:00Z", "2027-02-01T00:00:00Z"


@pytest.fixture
async def user() -> AsyncIterator[Any]:
    hooks: dict[str, list[Any]] = {"response": [judge]}
    async with httpx.AsyncClient(transport=InProcessTransport(emulator().app), event_hooks=hooks) as http:
        client = GraphClientFactory.create_with_default_middleware(client=http)
        adapter = GraphRequestAdapter(AnonymousAuthenticationProvider(), client=client)
        adapter.base_url = "http://127.0.0.1/v1.0"
        yield GraphServiceClient(request_adapter=adapter).users.by_user_id(MAIL)


def prefer(query: Any = None) -> RequestConfiguration[Any]:
    configuration: RequestConfiguration[Any] = RequestConfiguration(query_parameters=query)
    configuration.headers.add("Prefer", 'IdType="ImmutableId"')
    return configuration


def series() -> Event:
    pattern = RecurrencePattern(
        type=RecurrencePatternType.Weekly,
        interval=1,
        days_of_week=[DayOfWeek.Monday],
        first_day_of_week=DayOfWeek.Monday,
    )
    span = RecurrenceRange(type=RecurrenceRangeType.EndDate, start_date=date(2026, 11, 23), end_date=date(2026, 12, 21))
    return Event(
        subject="Call",
        body=ItemBody(content="Agenda", content_type=BodyType.Text),
        sensitivity=Sensitivity.Private,
        start=DateTimeTimeZone(date_time="2026-11-23T09:00:00", time_zone=ROME),
        end=DateTimeTimeZone(date_time="2026-11-23T10:00:00", time_zone=ROME),
        recurrence=PatternedRecurrence(pattern=pattern, range=span),
    )


async def test_a_series_its_instances_and_their_changes(user: Any) -> None:
    made = await user.events.post(series(), prefer())
    assert made is not None
    assert made.id
    assert (made.type, made.sensitivity) == (EventType.SeriesMaster, Sensitivity.Private)
    listed = await user.events.get(prefer())
    assert listed is not None
    assert [each.id for each in listed.value or []] == [made.id]
    window = user.events.by_event_id(made.id).instances.InstancesRequestBuilderGetQueryParameters(
        start_date_time=FROM, end_date_time=UNTIL
    )
    instances = await user.events.by_event_id(made.id).instances.get(prefer(window))
    assert instances is not None
    found = instances.value or []
    assert [each.type for each in found] == [EventType.Occurrence] * 5
    second, third = str(found[1].id), str(found[2].id)
    changed = await user.events.by_event_id(second).patch(Event(subject="Other"), prefer())
    assert changed is not None
    assert (changed.type, changed.original_start) == (EventType.Exception, found[1].original_start)
    await user.events.by_event_id(third).delete()
    details = user.events.by_event_id(made.id).EventItemRequestBuilderGetQueryParameters(
        select=["subject", "cancelledOccurrences"], expand=["exceptionOccurrences"]
    )
    master = await user.events.by_event_id(made.id).get(prefer(details))
    assert master is not None
    assert master.cancelled_occurrences == [f"OID.{made.id}.2026-12-07"]
    assert [each.subject for each in master.exception_occurrences or []] == ["Other"]
    stale = prefer()
    stale.headers.add("If-Match", made.additional_data["@odata.etag"])
    with pytest.raises(ODataError) as refused:
        await user.events.by_event_id(made.id).patch(Event(subject="x"), stale)
    assert refused.value.response_status_code == 412


async def test_the_delta_of_a_window(user: Any) -> None:
    made = await user.events.post(series(), prefer())
    assert made is not None
    query = user.calendar_view.delta.DeltaRequestBuilderGetQueryParameters(start_date_time=FROM, end_date_time=UNTIL)
    page = await user.calendar_view.delta.get(prefer(query))
    assert page is not None
    found = page.value or []
    assert [(each.type, each.series_master_id, each.subject) for each in found] == [
        (EventType.Occurrence, made.id, None)
    ] * 5
    await user.events.by_event_id(str(made.id)).delete()
    again = await user.calendar_view.delta.with_url(str(page.odata_delta_link)).get(prefer())
    assert again is not None
    assert [(each.id, each.additional_data["@removed"]) for each in again.value or []] == [
        (made.id, {"reason": "deleted"})
    ]
    with pytest.raises(ODataError) as refused:
        await user.events.delta.get()
    assert refused.value.response_status_code == 400
