"""Runs MiniStack with connections that stay open for longer than its clients keep them. Runs in its environment.

It closes what is idle for 75 s, Terraform's provider does after 90 s. What is asked in between may be done without an
answer, asked again and done twice: a deployment then has an event source mapping or a layer that nothing knows of.
"""

from hypercorn.config import Config  # type: ignore[import-not-found]
from ministack.app import main  # type: ignore[import-not-found]

KEEP_ALIVE_SECONDS = 600

# main() sets 75 on its own configuration, and nothing can tell it otherwise.
Config.keep_alive_timeout = property(lambda _: KEEP_ALIVE_SECONDS, lambda _, __: None)

if __name__ == "__main__":
    main()
