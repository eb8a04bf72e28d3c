create view scores as
  select cell."values".depth as depth, image, method, value
  from read_parquet('runs/first_experiment/cells/*/scores.parquet', filename = true)
  join (select unnest(cells) as cell from 'runs/first_experiment/plan.json')
    on contains(filename, cell.key) and cell.winner
  where metric = 'precision';

copy scores to 'scores.csv';

select depth, method, round(avg(value), 3) as value
from scores group by depth, method order by depth, method;
