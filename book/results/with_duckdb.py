import pathlib
import sys

import duckdb

sql = pathlib.Path(sys.argv[1]).read_text()
print(duckdb.sql(sql).df().to_csv(index=False), end="")
