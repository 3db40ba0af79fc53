"""What commands and transactions write straight to entities, each with its record."""

from __future__ import annotations

from typing import Any

from amends.core.definition import Command
from amends.core.messages import Refused, worded
from amends.core.walk import execute
from amends.engine.intake import copy_of, refuse_large_entity, take_body
from amends.engine.overlay import Overlay
from amends.engine.recording import Recording
from amends.errors import ParticipantError
from amends.storage.codecs.entities import Unstorable, kept_text, raw
from amends.storage.codecs.sagas import EntityCodecs
from amends.storage.records import CommandExecuted, EntityWritten


class EntityWrites:
    """Those of one unit of work."""

    def __init__(self, overlay: Overlay, codecs: EntityCodecs, recording: Recording, value_bytes_max: int) -> None:
        """Have none yet.

        Args:
            overlay: the entities.
            codecs: learn the types that commands tell.
            recording: the audit records of the unit of work.
            value_bytes_max: of one entity or body, as JSON.
        """
        self._overlay = overlay
        self._codecs = codecs
        self._recording = recording
        self._value_bytes_max = value_bytes_max

    def execute(self, command: Command, entity_id: str, body: Any) -> Refused | None:
        """Carry out a command on its entity, and record it; `Refused` when the participant refused.

        Raises:
            Exception: an exception of the command's function; nothing has changed then.
        """
        self.settle()
        before = self._codecs.learn_command(command)
        if before is not None:
            self._overlay.relearn(command.service, before)
        text = take_body(body, command.event, self._value_bytes_max)
        try:
            refused = execute(self._overlay.views, command, entity_id, copy_of(body, command.event))
            if refused is not None:
                return Refused(worded(refused.reason))
            after = kept_text(raw(self._overlay.values[command.service], entity_id))
            refuse_large_entity(f"{command.service}/{entity_id}", after, self._value_bytes_max)
            self._record_entity(CommandExecuted(command.service, entity_id, command.event), text)
        except Unstorable as error:
            self._overlay.take_back()
            raise ParticipantError(f"{command.event}: {error}") from error
        except BaseException:
            self._overlay.take_back()
            raise
        self._overlay.keep()
        return None

    def settle(self) -> None:
        """Keep and record what was written straight to entities."""
        for (service, entity_id), text in self._overlay.written().items():
            refuse_large_entity(f"{service}/{entity_id}", text, self._value_bytes_max)
            self._record_entity(EntityWritten(service, entity_id, "written"), text)
        self._overlay.keep()

    def _record_entity(self, cause: CommandExecuted | EntityWritten, value: str) -> None:
        self._overlay.recorded(cause.service, cause.entity_id)
        self._overlay.expect_open()
        self._recording.add(f"{cause.service}/{cause.entity_id}", 0, cause, value)
