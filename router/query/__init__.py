"""C-FIND, C-MOVE and C-GET through the router: upstreams asked, their answers made one."""

from router.query.service import QueryService
from router.query.upstream import upstream

__all__ = ["QueryService", "upstream"]
