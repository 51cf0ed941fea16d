{# Fails for every row whose reference (no column of it NULL) is to no row of the same feed. #}
{% test refers_to(model, columns, parent, parent_columns) %}
select child.district_id, child.source, {% for column in columns %}child.{{ column }}{{ ", " if not loop.last }}{% endfor %}
from {{ model }} as child
where {% for column in columns %}child.{{ column }} is not null{{ " and " if not loop.last }}{% endfor %}
    and not exists (
        select 1 from {{ parent }} as parent
        where {{ key_equals("child", "parent", columns, parent_columns) }}
    )
{% endtest %}
