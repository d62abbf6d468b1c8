"""A device that has an invitation becomes a node that is enrolled: once, before it starts as any node."""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace
from typing import NoReturn

from zfed.config import DEFAULT_ADDRESS, NodeConfig
from zfed.errors import ConnectError, RefusedError, RemoteProtocolError, UsageError
from zfed.facts import NodeEnrolled, Observer
from zfed.identity import Invitation, KeysFolder, NodeKey, PublicKey, utc_text
from zfed.nodes import member_words, words
from zfed.nodes.enrolment_logic import EnrolmentLogic
from zfed.nodes.pump import Pump
from zfed.transport import ClientSecurity, CurveKeys, SocketConnector, addresses_in
from zfed.wire.messages import PROTOCOL, Enroll


def enrol_device(config: NodeConfig, token: str, *, observer: Observer) -> NodeConfig:
    """Enrol this machine with an invitation, and return the configuration of the node that it is then.

    Made are its key, if it has none, and last the line in known-coordinators. Whoever has both and whose
    invitation has expired is a node that was started with the same words as the first time.

    Args:
        config: What else was said of the node. Its name, if it has one, is the invitation's.
        token: The invitation.
        observer: Is told what happens.

    Raises:
        UsageError: If the token is none, has expired, or does not fit what else was said.
        ConnectError: If no coordinator answered.
        RefusedError: If the coordinator does not enrol this machine.
        CheckpointError: If the keys folder cannot be written.
    """
    invitation = Invitation.parse(token)
    config = _configured(config, invitation)
    keys = KeysFolder.at(config.keys)
    addresses = addresses_in(config.connect)
    if time.time() >= invitation.expires:
        if keys.find(config.name) is None or not _knows(keys, addresses, invitation):
            raise UsageError(
                f"this invitation for {invitation.node} expired on {utc_text(invitation.expires)}, by the "
                f"clock of this machine: ask for another, `zfed invite {invitation.node}` at the coordinator"
            )
        return config
    key = keys.find(config.name) or keys.new_key(config.name)
    coordinator = _enrol(config, invitation, key, addresses, observer)
    for address in addresses:
        keys.known_coordinators.pin(address, coordinator)
    return config


def _configured(config: NodeConfig, invitation: Invitation) -> NodeConfig:
    if config.name not in ("", invitation.node):
        raise UsageError(
            f"the invitation is for {invitation.node}, not for {config.name}: leave --name away, or ask for "
            f"an invitation of {config.name}"
        )
    if config.insecure:
        raise UsageError("an invitation is for a coordinator that asks for keys: leave --insecure away")
    if config.coordinator_key and PublicKey.parse(config.coordinator_key).curve != invitation.coordinator:
        raise UsageError("--coordinator-key is not the key of the coordinator that the invitation is from")
    connect = invitation.address if config.connect == DEFAULT_ADDRESS else config.connect
    return replace(config, name=invitation.node, connect=connect)


def _knows(keys: KeysFolder, addresses: tuple[str, ...], invitation: Invitation) -> bool:
    """True if the coordinator of this invitation is known at all these addresses, which is the last step."""
    known = [keys.known_coordinators.find(address) for address in addresses]
    return all(each is not None and each.curve == invitation.coordinator for each in known)


def _enrol(
    config: NodeConfig,
    invitation: Invitation,
    key: NodeKey,
    addresses: tuple[str, ...],
    observer: Observer,
) -> PublicKey:
    """Have this key enrolled; returns the coordinator's public key."""
    logic = EnrolmentLogic(
        enroll=Enroll(protocol=PROTOCOL, node=config.name, key=key.public.text),
        addresses=addresses,
        connect_timeout_s=config.connect_timeout_s or math.inf,
        jitter=lambda: random.uniform(0.5, 1.5),
    )
    one_time = CurveKeys(invitation.public, invitation.secret)
    connector = SocketConnector(security=ClientSecurity(one_time, lambda address: invitation.coordinator))
    perform = {
        words.TellFact: lambda effect: observer(effect.fact),
        member_words.Connect: lambda effect: connector.open(effect.address),
        member_words.Disconnect: lambda effect: connector.disconnect(),
    }
    pump = Pump(logic, connector, perform)
    try:
        finish = pump.run()
    finally:
        connector.close()
        pump.close()
    if logic.enrolled is None:
        _fail(logic, finish)
    coordinator = PublicKey.parse(logic.enrolled.coordinator)
    if coordinator.curve != invitation.coordinator:
        raise RemoteProtocolError(
            "the coordinator says that it has another key than the one that it has proved"
        )
    observer(NodeEnrolled(node=config.name, fingerprint=key.public.fingerprint, address=logic.address))
    return coordinator


def _fail(logic: EnrolmentLogic, finish: words.Finish) -> NoReturn:
    if logic.refusal_code:
        raise RefusedError(finish.reason, code=logic.refusal_code)
    raise ConnectError(finish.reason)
