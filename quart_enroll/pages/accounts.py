"""Register, sign in, sign out; and the registrar's list of students."""

from quart import flash, redirect, request, url_for
from werkzeug import Response

from quart_enroll import auth
from quart_enroll.context import database, hasher
from quart_enroll.errors import EmailTaken, PasswordRefused, WrongCredentials
from quart_enroll.forms.accounts import LoginForm, RegisterForm
from quart_enroll.forms.proof import link_is_ours
from quart_enroll.rendering import render, spoken
from quart_enroll.repositories import users
from quart_enroll.services import accounts


async def register() -> str | Response | tuple[str, int]:
    if auth.user():
        return await _signed_in_already()
    form = await RegisterForm.from_request(next=request.args.get("next"))
    if request.method == "GET":
        return _register_page(form)
    if not form.validate():
        return _register_page(form), 422
    try:
        user = await accounts.register(
            database(),
            hasher(),
            email=form.email.data or "",
            password=form.password.data or "",
            first_name=form.first_name.data or "",
            last_name=form.last_name.data or "",
        )
    except EmailTaken as refusal:
        form.email.errors = [refusal.sentence]
        return _register_page(form), 422
    except PasswordRefused as refusal:
        form.password.errors = [refusal.sentence]
        return _register_page(form), 422
    await auth.begin(user, remember=False)
    await flash(f"Welcome, {user.first_name}. Your account is ready, and you are signed in.", "success")
    return _onward(form.next.data)


async def login() -> str | Response | tuple[str, int]:
    if auth.user() and request.method != "POST":
        return await _signed_in_already()
    form = await LoginForm.from_request(next=request.args.get("next"))
    if request.method == "GET":
        return _login_page(form)
    if not form.validate():
        return _login_page(form), 422
    try:
        user = await accounts.check(
            database(), hasher(), email=form.email.data or "", password=form.password.data or ""
        )
    except WrongCredentials as refusal:
        await flash(refusal.sentence, "danger")
        return _login_page(form), 422
    last = await auth.begin(user, remember=form.remember_me.data)
    before = f" Your last sign-in was on {spoken(last)}." if last else ""
    await flash(f"Hello, {user.first_name}. You are signed in.{before}", "success")
    return _onward(form.next.data)


async def logout() -> str | Response:
    if auth.user():
        if request.method != "POST" and not link_is_ours():
            return render("logout.html")
        await auth.end()
        await flash("You are signed out.", "info")
    return redirect(url_for("index"), 303)


@auth.registrar_required
async def user() -> str:
    return render("user.html", user=True, users=await users.find_students(database()))


async def _signed_in_already() -> Response:
    await flash("You are signed in already.", "info")
    return _onward((await request.form).get("next") or request.args.get("next"))


def _onward(wanted: str | None) -> Response:
    return redirect(auth.safe_next(wanted) or url_for("index"), 303)


def _login_page(form: LoginForm) -> str:
    return render("login.html", title="Sign in", login=True, form=form)


def _register_page(form: RegisterForm) -> str:
    return render("register.html", title="Register", register=True, form=form)
