"""Signing in and out, and the administrator's accounts."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, JSONBody
from litestar.response import Redirect, Template

from server.accounts import store
from server.accounts.roles import CENTRE_ROLES, REGISTRY_ROLES, Role
from server.accounts.service import (
    Login,
    SignInFailures,
    begin_login,
    change_password,
    close_account,
    confirm_password,
    create_account,
    sign_out,
    verified,
)
from server.errors import BadInput, GongyuanError, NotSignedIn, Refusal, Refused
from server.keys.passwords import LEAST_PASSWORD, prepared_password
from server.web.catalogue import language_of, say
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

Asking = Request[Login | None, Any, Any]
Password = Annotated[str, msgspec.Meta(max_length=1000)]
_LONGEST_NAME, _LONGEST_PASSWORD = 63, 1000


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and a password."""

    username: Annotated[str, msgspec.Meta(max_length=63)]
    password: Password


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to be made."""

    username: str
    display_name: Annotated[str, msgspec.Meta(max_length=80)]
    password: Password
    roles: tuple[Role, ...]
    scope: str | None = None


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A password in place of the present one."""

    present: Password
    password: Password


class Me(msgspec.Struct, frozen=True):
    """Who is signed in."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    scope: str | None


class AccountView(msgspec.Struct, frozen=True):
    """One account as an administrator sees it."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    scope: str | None
    closed: bool


def _me(login: Login) -> Me:
    return Me(login.username, login.display_name, tuple(sorted(login.roles)), login.scope)


def _failures(request: Asking) -> SignInFailures:
    """Return the wrong sign-ins that this server process remembers."""
    state = request.app.state
    if "sign_in_failures" not in state:
        state["sign_in_failures"] = SignInFailures()
    failures: SignInFailures = state["sign_in_failures"]
    return failures


async def _signed_in(request: Asking, site: Site, username: str, password: str) -> tuple[Me, Cookie]:
    address = request.client.host if request.client else "unknown"
    monotonic = site.clock.monotonic()
    name = username.strip().lower()
    if len(name) > _LONGEST_NAME or len(password) > _LONGEST_PASSWORD:
        # No account has these; they are neither hashed nor remembered.
        raise NotSignedIn("sign-in-wrong")
    async with site.db.reading() as session:
        account = await verified(session, _failures(request), name, password, address, monotonic)
    async with site.acting(f"staff:{account.username}") as act:
        if before := request.cookies.get(site.login_cookie):
            await sign_out(act, before)
        token = await begin_login(act, account, address, monotonic)
    login = Login(account.id, account.username, account.display_name, account.roles, account.scope)
    return _me(login), _cookie(site, token)


def _cookie(site: Site, token: str) -> Cookie:
    """Make the login cookie: no script reads it, no other site sends it, it ends with the browser."""
    return Cookie(
        key=site.login_cookie,
        value=token,
        path="/",
        httponly=True,
        secure=site.settings.secure_cookies,
        samesite="strict",
    )


def _gone(site: Site) -> Cookie:
    cookie = _cookie(site, "")
    cookie.max_age = 0
    return cookie


def _safe(target: str | None) -> str:
    """Return a path of this server to go on to, never another site's address."""
    if target is None or not target.isprintable() or "\\" in target:
        return "/"  # browsers drop tabs and line ends and read a backslash as a slash
    return target if target.startswith("/") and not target.startswith("//") else "/"


@post("/api/login", status_code=200)
async def login(request: Asking, data: JSONBody[SignIn], site: NamedDependency[Site]) -> Response[Me]:
    """Sign in: 200 with the login cookie; 401 `sign-in-wrong`, 409 `sign-in-locked`."""
    me, cookie = await _signed_in(request, site, data.username, data.password)
    return Response(me, cookies=[cookie])


@post("/api/logout", status_code=200)
async def logout(request: Asking, site: NamedDependency[Site]) -> Response[dict[str, bool]]:
    """End this browser's login; no error when there is none."""
    await _end(request, site)
    return Response({"signed_out": True}, cookies=[_gone(site)])


@get("/api/me", guards=[requires()])
async def me(request: Asking) -> Me:
    """Say who is signed in."""
    assert request.user is not None
    return _me(request.user)


@get("/login")
async def login_page(request: Asking) -> Template:
    """Show the sign-in form."""
    changed = "changed" in request.query_params
    return _login_page(request, target=_safe(_next(request)), changed=changed)


def _login_page(request: Asking, status: int = 200, **shown: Any) -> Template:
    blank = {"refused": None, "username": "", "changed": False}
    return page(request, "custody/login.html", status, **{**blank, **shown})


@post("/login", status_code=200)
async def login_form(
    request: Asking,
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
    site: NamedDependency[Site],
) -> Response[Any]:
    """Sign in from the page's form and go on to the page that was asked for."""
    username, target = data.get("username", ""), _safe(data.get("next"))
    try:
        _, cookie = await _signed_in(request, site, username, data.get("password", ""))
    except GongyuanError as error:
        refused = say(language_of(request), error.code, error.facts)
        return _login_page(request, error.status, refused=refused, username=username, target=target)
    return Redirect(target, status_code=303, cookies=[cookie])


@post("/logout", status_code=303)
async def logout_form(request: Asking, site: NamedDependency[Site]) -> Redirect:
    """End this browser's login from a page's form."""
    await _end(request, site)
    return Redirect("/login", status_code=303, cookies=[_gone(site)])


def _next(request: Asking) -> str | None:
    return request.query_params.get("next")


async def _end(request: Asking, site: Site) -> None:
    token = request.cookies.get(site.login_cookie)
    if not token:
        return
    who = f"staff:{request.user.username}" if request.user else "staff:unknown"
    async with site.acting(who) as act:
        await sign_out(act, token)


@get("/api/accounts", guards=[requires(Role.ADMINISTRATOR)])
async def list_accounts(site: NamedDependency[Site]) -> tuple[AccountView, ...]:
    """List all accounts, without passwords."""
    async with site.db.reading() as session:
        found = await store.accounts(session)
    return tuple(
        AccountView(one.username, one.display_name, tuple(sorted(one.roles)), one.scope, one.closed)
        for one in found
    )


@post("/api/accounts", guards=[requires(Role.ADMINISTRATOR)])
async def make_account(
    request: Asking, data: JSONBody[NewAccount], site: NamedDependency[Site]
) -> AccountView:
    """Make an account with roles of this server's side."""
    assert request.user is not None
    allowed = CENTRE_ROLES if site.settings.role == "centre" else REGISTRY_ROLES
    wrong = sorted(role.value for role in data.roles if role not in allowed)
    if wrong:
        raise BadInput("role-other-side", role=wrong[0])
    hashed = await prepared_password(data.password, data.username)
    async with site.acting(request.user) as act:
        made = await create_account(act, data.username, data.display_name, hashed, data.roles, data.scope)
    return AccountView(made.username, made.display_name, tuple(sorted(made.roles)), made.scope, False)


@post("/api/accounts/{username:str}/close", guards=[requires(Role.ADMINISTRATOR)], status_code=204)
async def close(request: Asking, username: FromPath[str], site: NamedDependency[Site]) -> None:
    """Close an account for good."""
    assert request.user is not None
    async with site.acting(request.user) as act:
        await close_account(act, username)


@post("/api/me/password", guards=[requires()], status_code=204)
async def own_password(request: Asking, data: JSONBody[NewPassword], site: NamedDependency[Site]) -> None:
    """Set one's own new password with the present one; every login of the account ends, this one too.

    409 `password-wrong` for another than the present one, `sign-in-locked` after several.
    """
    await _change_own(request, site, data.present, data.password)


@get("/password", guards=[requires()])
async def password_page(request: Asking) -> Template:
    """Show the form for one's own new password."""
    return page(request, "custody/password.html", refused=None, least=LEAST_PASSWORD)


@post("/password", guards=[requires()], status_code=200)
async def password_form(
    request: Asking,
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
    site: NamedDependency[Site],
) -> Response[Any]:
    """Set one's own new password from the page, typed twice, and go on to signing in with it."""
    new = data.get("password", "")
    try:
        if new != data.get("again", ""):
            raise Refused(Refusal("passwords-differ"))
        await _change_own(request, site, data.get("present", ""), new)
    except GongyuanError as error:
        refused = say(language_of(request), error.code, error.facts)
        return page(request, "custody/password.html", error.status, refused=refused, least=LEAST_PASSWORD)
    return Redirect("/login?changed=1", status_code=303, cookies=[_gone(site)])


async def _change_own(request: Asking, site: Site, present: str, password: str) -> None:
    assert request.user is not None
    who, address = request.user.username, request.client.host if request.client else "unknown"
    if max(len(present), len(password)) > _LONGEST_PASSWORD:
        raise BadInput("password-long", most=_LONGEST_PASSWORD)
    async with site.db.reading() as session:
        await confirm_password(session, _failures(request), who, present, address, site.clock.monotonic())
    hashed = await prepared_password(password, who)
    async with site.acting(request.user) as act:
        await change_password(act, who, hashed)


SIGNING_IN: list[Any] = [login, logout, me, login_page, login_form, logout_form]
"""Routes of a process whose accounts are kept elsewhere."""

ROUTES: list[Any] = [
    *SIGNING_IN,
    list_accounts,
    make_account,
    close,
    own_password,
    password_page,
    password_form,
]
