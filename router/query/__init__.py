"""C-FIND, C-MOVE and C-GET through the router: upstreams asked, their answers made one."""

from router.query.service import QueryService

__all__ = ["QueryService"]
