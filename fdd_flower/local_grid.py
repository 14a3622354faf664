"""A Flower Grid that runs the ClientApp in this process: for tests, benchmarks, `--in-process`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from uuid import uuid4

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.serverapp import Grid

from fdd_flower.config import Scalar

CLIENT_ERROR = 0  # Flower's ErrorCode.UNKNOWN
Fault = Callable[[Message], Message | None]


class LocalGrid(Grid):
    """Calls one ClientApp for every node, one message at a time.

    Every message goes through Flower's own serialisation, both ways, and each node keeps
    its own `Context` between rounds, so what works here works over a network.

    Parameters
    ----------
    app
        The ClientApp.
    num_clients
        Nodes 1 to n; each has `partition-id` and `num-partitions` in its node config.
    run_config
        Flat run config, as Flower hands it to apps.
    node_configs
        By node id: entries that replace the two above (`data-path`, say).
    faults
        By node id: gets the node's reply and returns what arrives instead; None is silence.
    absent
        Node ids that are not connected; the others keep theirs, and their share of the data. Looked
        at each time, so that nodes may come and go.
    node_ids
        Of the clients, in the order of their shares, where they are not 1 to n: Flower draws new
        ones each time that it is started.
    """

    def __init__(
        self,
        app: ClientApp,
        num_clients: int,
        run_config: Mapping[str, Scalar],
        *,
        node_configs: Mapping[int, Mapping[str, Scalar]] | None = None,
        faults: Mapping[int, Fault] | None = None,
        absent: Container[int] = (),
        node_ids: Sequence[int] | None = None,
    ) -> None:
        _set_task_identity()
        self._app = app
        self._absent = absent
        self._faults = dict(faults or {})
        self._waiting: dict[str, Message] = {}
        self._contexts = {
            node: Context(
                run_id=1,
                node_id=node,
                node_config=dict(
                    (node_configs or {}).get(node)
                    or {"partition-id": share, "num-partitions": num_clients}
                ),
                state=RecordDict(),
                run_config=dict(run_config),
            )
            for share, node in enumerate(node_ids or range(1, num_clients + 1))
        }

    def set_run(self, run: object) -> None:
        """Do nothing: there is one run."""

    @property
    def run(self) -> None:  # type: ignore[override]
        """There is no SuperLink, and so no record of a run."""
        return

    def create_message(self, *args: object, **kwargs: object) -> Message:
        """Refuse: Flower deprecated it in favour of `Message(...)`.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("Grid.create_message is deprecated: call Message(...) instead.")

    def get_node_ids(self) -> list[int]:
        """Return the ids of all connected nodes."""
        return [node for node in self._contexts if node not in self._absent]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Take messages; each is worked on when it is first pulled for."""
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = str(uuid4())
            self._waiting[message.metadata.message_id] = message
            ids.append(message.metadata.message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Work on the next waiting message and return its reply, if there is one."""
        wanted = set(message_ids)
        for message_id in [m for m in self._waiting if m in wanted]:
            reply = self._deliver(self._waiting.pop(message_id))
            if reply is not None:
                return [reply]
        return []

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Return the replies of all nodes that reply."""
        waiting, replies = set(self.push_messages(messages)), []
        while waiting & set(self._waiting):
            replies += self.pull_messages(waiting)
        return replies

    def _deliver(self, message: Message) -> Message | None:
        node = message.metadata.dst_node_id
        if node in self._absent:
            return None
        arrived = _over_the_wire(message)
        try:
            reply = self._app(arrived, self._contexts[node])
        except Exception as error:  # as a SuperNode does: an app that raises sends an error
            reply = Message(Error(CLIENT_ERROR, repr(error)), reply_to=arrived)
        fault = self._faults.get(node)
        changed = reply if fault is None else fault(reply)
        return None if changed is None else _over_the_wire(changed)


def _over_the_wire(message: Message) -> Message:
    return message_from_proto(message_to_proto(message))


def _set_task_identity() -> None:
    """Let `Message(...)` be built outside a Flower task, which flwr refuses otherwise."""
    from flwr.supercore.task_identity import TaskIdentity

    if TaskIdentity._run_id is None:
        TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1
