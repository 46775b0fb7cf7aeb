"""Roles of staff and officers. What a role may do is stated at each route by a guard."""

from enum import StrEnum


class Role(StrEnum):
    """One role; an account may hold several."""

    ADMINISTRATOR = "administrator"
    TECHNICIAN = "technician"
    CHIEF = "chief"
    DEPUTY = "deputy"
    INVIGILATOR = "invigilator"
    CUSTODIAN = "custodian"
    EXAM_OFFICE = "exam_office"
    ITEM_WRITER = "item_writer"
    ITEM_REVIEWER = "item_reviewer"
    MARKER = "marker"
    EXAMINER = "examiner"
    QUALITY = "quality"
    REMOTE_OFFICER = "remote_officer"
    DISTRICT_OFFICER = "district_officer"
    CITY_OFFICER = "city_officer"
    SUPERVISOR = "supervisor"
    ORGANISATION = "organisation"


SHARED_ROLES: frozenset[Role] = frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR})
"""Roles that exist on a registry and on a centre alike."""

REGISTRY_ROLES: frozenset[Role] = SHARED_ROLES | {
    Role.DISTRICT_OFFICER,
    Role.CITY_OFFICER,
    Role.ORGANISATION,
}

CENTRE_ROLES: frozenset[Role] = frozenset(Role) - REGISTRY_ROLES | SHARED_ROLES
