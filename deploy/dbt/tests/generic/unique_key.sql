{# Fails for every key of a feed that has more than one row. #}
{% test unique_key(model, columns) %}
select district_id, source, {{ columns | join(", ") }}, count(*) as records
from {{ model }}
group by district_id, source, {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
