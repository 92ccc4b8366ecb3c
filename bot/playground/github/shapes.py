"""The documents that GitHub answers with: every field that its description requires."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.playground.github.pulls import Pull

Json = dict[str, Any]
#: Since this version of the API a pull request no longer says by which commit it was merged.
VERSIONS = ("2022-11-28", "2026-03-10")
_USER_LINKS = (
    "followers following gists starred subscriptions organizations repos events received_events"
)
_REPOSITORY_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors "
    "deployments downloads events forks git_commits git_refs git_tags issue_comment issue_events "
    "issues keys labels languages merges milestones notifications pulls releases stargazers "
    "statuses subscribers subscription tags teams trees hooks"
)


def moment(at: datetime | None) -> str | None:
    """As GitHub writes one."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(api: str, login: str) -> Json:
    """A ``simple-user``."""
    url = f"{api}/users/{login}"
    links = {f"{name}_url": f"{url}/{name}" for name in _USER_LINKS.split()}
    return {
        "login": login,
        "id": sum(login.encode()),
        "node_id": f"U_{login}",
        "avatar_url": f"{url}/avatar",
        "gravatar_id": "",
        "url": url,
        "html_url": url,
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
        **links,
    }


def repository(api: str, name: str) -> Json:
    """A ``repository``."""
    owner, _, short = name.partition("/")
    url = f"{api}/repos/{name}"
    links = {f"{each}_url": f"{url}/{each}" for each in _REPOSITORY_LINKS.split()}
    counts = ("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size")
    never = ("description", "license", "mirror_url", "homepage", "language", "pushed_at")
    return {
        "id": sum(name.encode()),
        "node_id": f"R_{name}",
        "name": short,
        "full_name": name,
        "owner": user(api, owner),
        "private": True,
        "fork": False,
        "html_url": url,
        "url": url,
        **links,
        **{f"{each}_url": f"{url}.git" for each in ("git", "ssh", "clone", "svn")},
        **dict.fromkeys((*counts, "open_issues", "open_issues_count"), 0),
        **dict.fromkeys(never),
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("has_pages", "archived", "disabled"), False),
        "default_branch": "main",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def simple_pull(api: str, pull: Pull, version: str) -> Json:
    """A ``pull-request-simple``: what a list holds."""
    url = f"{api}/repos/{pull.repository}/pulls/{pull.number}"
    issue = f"{api}/repos/{pull.repository}/issues/{pull.number}"
    links = {
        "self": url,
        "html": url,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/repos/{pull.repository}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{api}/repos/{pull.repository}/statuses/{pull.head_commit}",
    }
    plain = ("html", "issue", "comments", "review_comments", "review_comment", "commits")
    gone = {"merge_commit_sha": pull.merge_commit, "assignee": None}
    return {
        "url": url,
        "id": pull.number,
        "node_id": f"PR_{pull.number}",
        "diff_url": f"{url}.diff",
        "patch_url": f"{url}.patch",
        "statuses_url": links["statuses"],
        **{f"{name}_url": links[name] for name in plain},
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": user(api, pull.author),
        "body": pull.body,
        "labels": [],
        "milestone": None,
        "created_at": moment(pull.opened),
        "updated_at": moment(pull.closed or pull.opened),
        "closed_at": moment(pull.closed),
        "merged_at": moment(pull.merged),
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _end(api, pull, pull.head, pull.head_commit),
        "base": _end(api, pull, pull.base, pull.base_commit),
        "_links": {name: {"href": link} for name, link in links.items()},
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "draft": pull.draft,
        **(gone if version == VERSIONS[0] else {}),
    }


def pull_request(api: str, pull: Pull, version: str) -> Json:
    """A ``pull-request``: one alone tells more."""
    return simple_pull(api, pull, version) | {
        "merged": pull.merged is not None,
        "mergeable": True if pull.closed is None else None,
        "rebaseable": None,
        "mergeable_state": "clean" if pull.closed is None else "unknown",
        "merged_by": None if pull.merged_by is None else user(api, pull.merged_by),
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1,
        "additions": 1,
        "deletions": 1,
        "changed_files": 1,
    }


def installation(api: str, number: int, app: str, account: str) -> Json:
    """An ``installation`` of an App."""
    url = f"{api}/app/installations/{number}"
    return {
        "id": number,
        "account": user(api, account),
        "repository_selection": "all",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": url,
        "app_id": int(app),
        "target_id": sum(account.encode()),
        "target_type": "Organization",
        "permissions": {"contents": "write", "pull_requests": "write", "metadata": "read"},
        "events": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "single_file_name": None,
        "app_slug": "quarterdeck",
        "suspended_by": None,
        "suspended_at": None,
    }


def _end(api: str, pull: Pull, branch: str, commit: str) -> Json:
    owner = pull.repository.partition("/")[0]
    return {
        "label": f"{owner}:{branch}",
        "ref": branch,
        "sha": commit,
        "user": user(api, owner),
        "repo": repository(api, pull.repository),
    }
