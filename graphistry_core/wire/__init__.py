"""Every operation of Graphistry's HTTP protocol, once.

Each operation is a request dataclass: its name (the one used in journals and on the parity page), method, path,
authentication, how it is encoded and decoded, and the answer class that goes with it. Clients and servers both
import this package, so they cannot drift apart. No other module knows a path, a field name or a status.

May import errors, messages and arrow_body; knows nothing of sockets, Flask, requests or the Hub. Tables travel as
Arrow IPC bytes, or as ``pyarrow.Table`` when no bytes are needed (in-process).
"""

from __future__ import annotations

from ..messages import Auth
from .authentication import (
    Login,
    Organization,
    PersonalKeyLogin,
    Refresh,
    SsoAnswer,
    SsoLogin,
    SsoToken,
    SwitchOrg,
    TokenAnswer,
    Verify,
)
from .base import CONTENT_TYPES, FORMATS, OUTPUT_TYPES, TABLE_TYPES, TEXT_TYPE, A, Answer, OkAnswer, Page, Request
from .datasets import (
    DatasetAnswer,
    DatasetCreate,
    DatasetDelete,
    DatasetGet,
    DatasetList,
    DatasetPatch,
    DatasetUpload,
    Share,
)
from .files import FileAnswer, FileCreate, FileDelete, FileGet, FileList, FilePatch, FileUpload
from .functions import FunctionCreate, FunctionDelete, FunctionGet, FunctionList, FunctionPatch, FunctionRun
from .routes import HEALTH_PATHS, OPERATIONS, VIEWER_PATH, is_graphistry_path, match, routes, with_auth
from .tasks import ENGINES, Gfql, Python, PythonAnswer
from .viewer import RecordAnswer, SessionGet, SessionList, SingleUseUrl

__all__ = [
    "CONTENT_TYPES",
    "ENGINES",
    "FORMATS",
    "HEALTH_PATHS",
    "OPERATIONS",
    "OUTPUT_TYPES",
    "TABLE_TYPES",
    "TEXT_TYPE",
    "VIEWER_PATH",
    "A",
    "Answer",
    "Auth",
    "DatasetAnswer",
    "DatasetCreate",
    "DatasetDelete",
    "DatasetGet",
    "DatasetList",
    "DatasetPatch",
    "DatasetUpload",
    "FileAnswer",
    "FileCreate",
    "FileDelete",
    "FileGet",
    "FileList",
    "FilePatch",
    "FileUpload",
    "FunctionCreate",
    "FunctionDelete",
    "FunctionGet",
    "FunctionList",
    "FunctionPatch",
    "FunctionRun",
    "Gfql",
    "Login",
    "OkAnswer",
    "Organization",
    "Page",
    "PersonalKeyLogin",
    "Python",
    "PythonAnswer",
    "RecordAnswer",
    "Refresh",
    "Request",
    "SessionGet",
    "SessionList",
    "Share",
    "SingleUseUrl",
    "SsoAnswer",
    "SsoLogin",
    "SsoToken",
    "SwitchOrg",
    "TokenAnswer",
    "Verify",
    "is_graphistry_path",
    "match",
    "routes",
    "with_auth",
]
