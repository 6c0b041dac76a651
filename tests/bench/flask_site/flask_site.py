"""The pages of the Flask site, rewritten with Flask, MongoEngine and gunicorn as the baseline of `make bench`.

Each request does the same work as in the Flask site: it reads rows into objects and renders a template from them.
Request logs, debug pages and CSRF tokens are left out, because they would only slow it down.
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import mongoengine as me
from flask import Flask, flash, jsonify, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
me.connect(host=os.environ["MONGO_URI"])


class User(me.Document):
    user_id = me.IntField(unique=True)
    first_name = me.StringField(max_length=50)
    last_name = me.StringField(max_length=50)
    email = me.StringField(max_length=254, unique=True)
    password = me.StringField()
    meta = {"auto_create_index": False}  # noqa: RUF012  # MongoEngine's way


class Course(me.Document):
    courseID = me.StringField(max_length=20, unique=True)
    title = me.StringField(max_length=100)
    description = me.StringField()
    credits = me.IntField()
    term = me.StringField(max_length=50)
    meta = {"auto_create_index": False}  # noqa: RUF012  # MongoEngine's way


class Enrollment(me.Document):
    user_id = me.IntField()
    courseID = me.StringField(max_length=20)
    meta = {"auto_create_index": False, "indexes": ["user_id"]}  # noqa: RUF012  # MongoEngine's way


for model in (User, Course, Enrollment):
    model.ensure_indexes()


def signed_in(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def guarded(**arguments: Any) -> Any:
        if "user_id" not in session:
            return redirect(url_for("login"), 303)
        return view(**arguments)

    return guarded


@app.get("/")
def index() -> str:
    return render_template("index.html", index=True)


@app.get("/courses/")
@app.get("/courses/<term>")
def courses(term: str = "Fall 2026") -> str:
    return render_template("courses.html", courses=True, course_data=Course.objects.order_by("courseID"), term=term)


@app.get("/enrollment")
@signed_in
def enrollment() -> str:
    classes = User.objects.aggregate(
        [
            {"$match": {"user_id": session["user_id"]}},
            {"$lookup": {"from": "enrollment", "localField": "user_id", "foreignField": "user_id", "as": "enrollment"}},
            {"$unwind": "$enrollment"},
            {
                "$lookup": {
                    "from": "course",
                    "localField": "enrollment.courseID",
                    "foreignField": "courseID",
                    "as": "course",
                }
            },
            {"$unwind": "$course"},
            {"$sort": {"course.courseID": 1}},
        ]
    )
    return render_template("enrollment.html", enrollment=True, classes=list(classes))


@app.post("/enrollment")
@signed_in
def enroll() -> Any:
    courseID = request.form["courseID"]
    if Enrollment.objects(user_id=session["user_id"], courseID=courseID).first():
        flash("You are enrolled in that course already.", "warning")
        return redirect(url_for("courses"), 303)
    Enrollment(user_id=session["user_id"], courseID=courseID).save()
    flash("You are enrolled.", "success")
    return redirect(url_for("enrollment"), 303)


@app.get("/api/")
def api() -> Any:
    fields = ("courseID", "title", "description", "credits", "term")
    return jsonify([{name: course[name] for name in fields} for course in Course.objects.order_by("courseID")])


@app.route("/login", methods=["GET", "POST"])
def login() -> Any:
    if request.method == "POST":
        user = User.objects(email=request.form["email"]).first()
        if user and check_password_hash(user.password, request.form["password"]):
            session["user_id"], session["username"] = user.user_id, user.first_name
            flash(f"Hello, {user.first_name}. You are signed in.", "success")
            return redirect(url_for("index"), 303)
        flash("That is not right. Please try again.", "danger")
    return render_template("login.html", title="Sign in", login=True)


@app.post("/logout")
def logout() -> Any:
    session.clear()
    return redirect(url_for("index"), 303)
