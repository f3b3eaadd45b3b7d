"""The two queues on Azure Storage: what is sent to one is in no other, and what the host gave up is handed out until it was noted."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from azure.storage.queue import QueueClient

from control.queue import POISON, RunQueue, read_message
from sync.store.base import StoreUnreachable

pytestmark = pytest.mark.azurite
TEXT = '{"v": 1, "mailbox": "", "why": "timer"}'


@pytest.fixture
def names() -> tuple[str, str]:
    return f"runs{uuid4().hex}", f"fills{uuid4().hex}"


@pytest.fixture
async def queue(azurite: str, names: tuple[str, str]) -> AsyncIterator[RunQueue]:
    queue = RunQueue.connect(names[0], azurite)
    yield queue
    await queue.aclose()


def waiting(azurite: str, name: str) -> list[str]:
    with QueueClient.from_connection_string(azurite, name) as client:
        return [base64.b64decode(each.content).decode() for each in client.peek_messages(32)]


async def test_each_is_made_when_it_is_missing_and_holds_what_was_sent_to_it(
    azurite: str, names: tuple[str, str], queue: RunQueue
) -> None:
    other = RunQueue.connect(names[1], azurite)
    await queue.send("m", "hint")
    await other.send("n", "continued")
    await queue.send("later", "hint", 30)
    await other.aclose()
    (mine,), (theirs,) = waiting(azurite, names[0]), waiting(azurite, names[1])
    assert (read_message(mine).mailbox, read_message(theirs).mailbox) == ("m", "n")


async def test_where_nothing_was_given_up_there_is_nothing(queue: RunQueue) -> None:
    assert [each async for each in queue.given_up()] == []


async def test_what_was_given_up_is_handed_out_once_with_its_moment_and_stays_when_it_was_not_noted(
    azurite: str, names: tuple[str, str], queue: RunQueue
) -> None:
    with QueueClient.from_connection_string(azurite, names[0] + POISON) as poison:
        poison.create_queue()
        for content in (base64.b64encode(TEXT.encode()).decode(), "not base64!", base64.b64encode(b"\xff").decode()):
            poison.send_message(content)
        async for text, at in queue.given_up():
            assert text == TEXT
            assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
            break  # it could not be noted
        assert poison.get_queue_properties().approximate_message_count == 3
        poison.clear_messages()
        for number in range(40):
            poison.send_message(base64.b64encode(f"{number}".encode()).decode())
        assert {text for text, _ in [each async for each in queue.given_up()]} == {str(n) for n in range(40)}
        poison.send_message("not base64!")
        assert [text for text, _ in [each async for each in queue.given_up()]] == [""]
        assert poison.get_queue_properties().approximate_message_count == 0


async def test_a_queue_that_cannot_be_reached_says_so_and_nothing_of_the_account() -> None:
    key = base64.b64encode(b"k").decode()
    storage = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={key};QueueEndpoint=http://127.0.0.1:1/a"
    queue = RunQueue.connect("runs", storage)
    for client in (queue._client, queue._poison):
        client._config.retry_policy.total_retries = 0
    with pytest.raises(StoreUnreachable, match=r"^queue: "):
        await queue.send("m", "hint")
    with pytest.raises(StoreUnreachable, match=r"^queue: "):
        _ = [each async for each in queue.given_up()]
    await queue.aclose()
